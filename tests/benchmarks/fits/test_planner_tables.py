"""Errors are medians by model; what was refused does not count."""

from __future__ import annotations

import numpy as np

from benchmarks.fits.planner_tables import (
    ALL,
    Predicted,
    as_json,
    errors_by_model,
    middle_and_worst,
    table,
)
from tests.benchmarks.fits.test_planner_rows import row

ROWS = [
    row(model="a", ttft_ms=100.0, tpot_ms=10.0),
    row(model="a", ttft_ms=100.0, tpot_ms=10.0),
    row(model="a", ttft_ms=100.0, tpot_ms=10.0),
    row(model="b", ttft_ms=100.0, tpot_ms=10.0),
    row(model="c", ttft_ms=100.0, tpot_ms=10.0),
]
PREDICTED = Predicted(
    ttft_ms=np.array([90.0, 150.0, 100.0, np.nan, 50.0]),
    tpot_ms=np.array([11.0, 5.0, 12.0, np.nan, 20.0]),
)


def test_errors_are_medians_and_a_bias_says_which_way() -> None:
    errors = errors_by_model(ROWS, PREDICTED)
    a, b, c = errors["a"], errors["b"], errors["c"]
    assert (a.rows, round(a.tpot_pct), round(a.tpot_bias, 2), round(a.ttft_pct)) == (3, 20, 1.1, 10)
    assert b.rows == 0
    assert (c.tpot_pct, c.ttft_bias) == (100, 0.5)
    assert errors[ALL].rows == 4


def test_the_middle_and_the_worst_are_of_models_with_rows() -> None:
    assert middle_and_worst(errors_by_model(ROWS, PREDICTED)) == (60.0, 100.0)


def test_no_rows_are_null_in_json_and_dashes_in_the_table() -> None:
    errors = errors_by_model(ROWS, PREDICTED)
    assert as_json(errors)["b"] == {
        "rows": 0,
        "tpot_pct": None,
        "tpot_bias": None,
        "ttft_pct": None,
        "ttft_bias": None,
    }
    lines = table({"ours": errors, "theirs": errors}).splitlines()
    assert len(lines) == 2 + 4
    assert lines[-2].startswith("b")
    assert lines[-2].endswith("0      -     -      -")
