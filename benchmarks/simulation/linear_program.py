"""A linear program that is filled in by blocks, and a maximum of it that is certain.

It maximises ``gains . column`` under ``row <= limit`` (or ``==``) and ``0 <= column <= most``.
The solver works in floats and may stop early, so its figure is no proof. For any multipliers ``y``
of the rows, not negative where a row is an inequality, no column in the box gains more than
``y . limits + sum(most * max(0, gains - y . rows))``: that, at the multipliers that the solver
gives, holds whatever it did. Hence every column needs a finite ``most``. A solver that ran out of
time gives no multipliers; then there is no figure at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

# Interior point first: on large programs the simplex takes minutes.
METHODS = ("highs-ipm", "highs-ds")
SOLVER_S_MAX = 600.0  # for each method


@dataclass(frozen=True, slots=True)
class Maximum:
    """``at_most`` is certain, and None where the solver gave no multipliers; ``solver`` is the
    solver's own figure, None if it failed."""

    at_most: float | None
    solver: float | None


class LinearProgram:
    """Add columns, rows and the values where they meet; then ask for the ``maximum``."""

    def __init__(self) -> None:
        self._most: list[Floats] = []
        self._gains: list[Floats] = []
        self._entries: list[tuple[Ints, Ints, Floats]] = []
        self._limits: list[Floats] = []
        self._is_equal: list[bool] = []
        self._columns = 0
        self._rows = 0

    def columns(self, most: Floats, gains: Floats | None = None) -> Ints:
        self._most.append(most)
        self._gains.append(np.zeros(most.size) if gains is None else gains)
        self._columns += most.size
        return np.arange(self._columns - most.size, self._columns)

    def rows(self, limits: Floats, *, is_equal: bool = False) -> Ints:
        self._limits.append(limits)
        self._is_equal += [is_equal] * limits.size
        self._rows += limits.size
        return np.arange(self._rows - limits.size, self._rows)

    def put(self, rows: Ints, columns: Ints, values: Floats | float) -> None:
        self._entries.append((rows, columns, np.broadcast_to(values, rows.shape)))

    def maximum(self) -> Maximum:
        rows, columns, values = (np.concatenate(part) for part in zip(*self._entries, strict=True))
        matrix = csr_matrix((values, (rows, columns)), shape=(self._rows, self._columns))
        limits, most = np.concatenate(self._limits), np.concatenate(self._most)
        gains = np.concatenate(self._gains)
        unit = max(float(gains.max(initial=0.0)), 1e-12)
        is_equal = np.array(self._is_equal)
        result = _solve(gains / unit, matrix, limits, is_equal, most)
        solver = -unit * float(result.fun) if result.status == 0 else None
        multipliers = _multipliers(result, is_equal)
        if multipliers is None:
            return Maximum(None, solver)
        left = np.maximum(0, gains / unit - matrix.T @ multipliers)
        return Maximum(unit * float(multipliers @ limits + most @ left), solver)


def _multipliers(result: Any, is_equal: Any) -> Floats | None:
    """Those of all rows; None where the solver gave none for some of them."""
    multipliers = np.zeros(is_equal.size)
    for result_of, rows_of in ((result.ineqlin, ~is_equal), (result.eqlin, is_equal)):
        marginals = result_of.get("marginals")
        if rows_of.any() and marginals is None:
            return None
        if marginals is not None:
            multipliers[rows_of] = -np.nan_to_num(marginals)
    multipliers[~is_equal] = np.maximum(0, multipliers[~is_equal])
    return multipliers


def _solve(gains: Floats, matrix: Any, limits: Floats, is_equal: Any, most: Floats) -> Any:
    for method in METHODS:
        result = linprog(
            -gains,
            A_ub=matrix[~is_equal],
            b_ub=limits[~is_equal],
            A_eq=matrix[is_equal],
            b_eq=limits[is_equal],
            bounds=np.stack([np.zeros(most.size), most], axis=1),
            method=method,
            options={"time_limit": SOLVER_S_MAX},
        )
        if result.status == 0:
            break
    return result
