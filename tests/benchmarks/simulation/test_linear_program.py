from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulation import linear_program
from benchmarks.simulation.linear_program import LinearProgram


def knapsack() -> LinearProgram:
    """Two of weight 1 and 2 in a sack of 2, worth 3 and 4: all of the first, half of the second."""
    program = LinearProgram()
    taken = program.columns(np.ones(2), np.array([3.0, 4.0]))
    left = program.columns(np.array([9.0]))
    sack = program.rows(np.array([2.0]))
    program.put(np.repeat(sack, 2), taken, np.array([1.0, 2.0]))
    rest = program.rows(np.array([2.0]), is_equal=True)
    program.put(np.repeat(rest, 2), taken, 1.0)
    program.put(rest, left, 1.0)
    return program


KNAPSACK_MAXIMUM = 5.0


def test_the_maximum_is_certain_and_the_solvers_own() -> None:
    maximum = knapsack().maximum()
    assert maximum.at_most == pytest.approx(KNAPSACK_MAXIMUM)
    assert maximum.solver == pytest.approx(KNAPSACK_MAXIMUM)


multiplier = st.floats(-1e6, 1e6) | st.just(float("nan"))


@given(multiplier, multiplier, st.sampled_from((0, 1, 4)))
def test_no_multipliers_give_less_than_the_maximum(sack: float, rest: float, status: int) -> None:
    result = SimpleNamespace(
        status=status,
        fun=-99.0,
        ineqlin={"marginals": np.array([sack])},
        eqlin={"marginals": np.array([rest])},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear_program, "linprog", lambda *_args, **_options: result)
        maximum = knapsack().maximum()
    assert maximum.at_most is not None
    assert maximum.at_most >= KNAPSACK_MAXIMUM * (1 - 1e-12)
    assert (maximum.solver is None) == (status != 0)


def test_a_solver_that_fails_is_followed_by_another_and_then_there_is_no_figure() -> None:
    methods = []

    def fails(*_args: Any, method: str, **_options: Any) -> Any:
        methods.append(method)
        return SimpleNamespace(status=4, fun=None, ineqlin={}, eqlin={})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear_program, "linprog", fails)
        maximum = knapsack().maximum()
    assert methods == list(linear_program.METHODS)
    assert maximum.solver is None
    assert maximum.at_most is None


def test_a_solver_that_runs_out_of_time_gives_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """All gains together would be certain too: a maximum of 7, and a bound of 0 to spend."""
    monkeypatch.setattr(linear_program, "SOLVER_S_MAX", 1e-6)
    program, random = LinearProgram(), np.random.default_rng(1)
    columns = program.columns(np.ones(300), random.random(300))
    rows = program.rows(np.full(200, 9.0))
    program.put(np.repeat(rows, 300), np.tile(columns, 200), random.random(200 * 300))
    assert program.maximum() == linear_program.Maximum(at_most=None, solver=None)
