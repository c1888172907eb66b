"""How far predictions are from measured rows, by model: medians, since some rows are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.fits.planner_rows import Row

Array = NDArray[np.float64]

ALL = "all rows"


@dataclass(frozen=True, slots=True)
class Errors:
    """The errors of predictions over ``rows`` rows. A bias above 1 means that predictions are too
    long."""

    rows: int
    tpot_pct: float
    tpot_bias: float
    ttft_pct: float
    ttft_bias: float


@dataclass(frozen=True, slots=True)
class Predicted:
    """What was predicted of each row; NaN where a predictor refused."""

    ttft_ms: Array
    tpot_ms: Array

    @classmethod
    def of_seconds(cls, ttft_s: Array, tpot_s: Array) -> Predicted:
        return cls(ttft_s * 1e3, tpot_s * 1e3)

    def of_rows(self, chosen: NDArray[np.bool_] | list[int] | slice) -> Predicted:
        return Predicted(self.ttft_ms[chosen], self.tpot_ms[chosen])


def errors_by_model(rows: Sequence[Row], predicted: Predicted) -> dict[str, Errors]:
    """The errors by model, and of all rows; rows that were refused do not count."""
    models = np.array([row.model for row in rows])
    ttft = predicted.ttft_ms / np.array([row.ttft_ms for row in rows])
    tpot = predicted.tpot_ms / np.array([row.tpot_ms for row in rows])
    answered = np.isfinite(tpot)
    found = {model: _errors(ttft, tpot, answered & (models == model)) for model in _names(models)}
    return {ALL: _errors(ttft, tpot, answered)} | found


def middle_and_worst(errors: dict[str, Errors]) -> tuple[float, float]:
    """The median and the greatest of the models' TPOT errors, in percent."""
    by_model = [each.tpot_pct for model, each in errors.items() if model != ALL and each.rows]
    return float(np.median(by_model)), max(by_model)


def as_json(errors: dict[str, Errors]) -> dict[str, dict[str, float | None]]:
    """The errors rounded; an error of no rows is null."""
    return {
        model: {
            name: None if value != value else round(value, 2)
            for name, value in asdict(each).items()
        }
        for model, each in errors.items()
    }


def table(columns: dict[str, dict[str, Errors]]) -> str:
    """Lines of models; for each column its rows, TPOT error with bias, and TTFT error."""
    heads = [f"{name:>30}" for name in columns]
    lines = [f"{'':24}" + "".join(heads)]
    lines.append(f"{'':24}" + f"{'rows   TPOT  bias   TTFT':>30}" * len(columns))
    for model in next(iter(columns.values())):
        cells = [_cell(errors[model]) for errors in columns.values()]
        lines.append(f"{model:24}" + "".join(f"{cell:>30}" for cell in cells))
    return "\n".join(lines)


def _cell(errors: Errors) -> str:
    if errors.rows == 0:
        return "0      -     -      -"
    return (
        f"{errors.rows}  {errors.tpot_pct:3.0f} %  {errors.tpot_bias:.2f}  {errors.ttft_pct:3.0f} %"
    )


def _errors(ttft: Array, tpot: Array, chosen: NDArray[np.bool_]) -> Errors:
    if not chosen.any():
        return Errors(0, *[float("nan")] * 4)
    return Errors(
        rows=int(chosen.sum()),
        tpot_pct=_percent(tpot[chosen]),
        tpot_bias=float(np.median(tpot[chosen])),
        ttft_pct=_percent(ttft[chosen]),
        ttft_bias=float(np.median(ttft[chosen])),
    )


def _percent(ratios: Array) -> float:
    return float(np.median(np.abs(ratios - 1))) * 100


def _names(models: NDArray[np.str_]) -> list[str]:
    return sorted(set(models.tolist()))
