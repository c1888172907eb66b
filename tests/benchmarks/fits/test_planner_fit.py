"""The calibration that ships: what it promises holds on the rows, and its file says so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fits.factor_fit import Fitted, columns, fit
from benchmarks.fits.planner_fit import RESULT, band_pct, calibration_text, covered_share, judge
from benchmarks.fits.planner_rows import Rows, read_rows
from models.speed.calibration import load_calibration

DATA = Path(__file__).parents[4] / "shared" / "data"
WORST_MODEL = "Qwen3-235B-A22B-FP8"
rows_at_hand = pytest.mark.skipif(not DATA.is_dir(), reason="the measured rows are not here")


@pytest.fixture(scope="module")
def rows() -> Rows:
    return read_rows(DATA)


def test_the_band_is_a_factor_up_and_down() -> None:
    predicted = np.array([1.0] * 10)
    measured = [1.0, 1.0, 1.1, 1.1, 1.2, 1 / 1.2, 1.3, 1.3, 1 / 1.5, 4.0]
    assert band_pct(predicted, measured, share=8 / 9) == pytest.approx(50)
    assert covered_share(predicted, measured, 50.001) == 0.9
    assert covered_share(predicted, measured, 20.001) == 0.6


@rows_at_hand
def test_the_shipped_factors_keep_their_promises_on_the_rows(rows: Rows) -> None:
    shipped = load_calibration()
    ttft_s, tpot_s = columns(rows.kept).predict(Fitted(shipped.factors, shipped.engines))
    tpot_errors = np.abs(tpot_s * 1e3 / np.array([row.tpot_ms for row in rows.kept]) - 1)
    ttft_errors = np.abs(ttft_s * 1e3 / np.array([row.ttft_ms for row in rows.kept]) - 1)
    assert np.median(tpot_errors) <= 0.15
    assert np.median(ttft_errors) <= 0.35
    moe = np.array([row.shape.moe is not None for row in rows.kept])
    assert np.median(tpot_errors[moe]) <= 0.15


@rows_at_hand
def test_the_worst_model_is_within_bounds_for_a_fit_that_never_saw_it(rows: Rows) -> None:
    unseen = [row for row in rows.kept if row.model == WORST_MODEL]
    fitted = fit([row for row in rows.kept if row.model != WORST_MODEL])
    tpot_s = columns(unseen).predict(fitted)[1]
    error = np.median(np.abs(tpot_s * 1e3 / np.array([row.tpot_ms for row in unseen]) - 1))
    assert error <= 0.35
    kept = json.loads(RESULT.read_text())["held_out"][WORST_MODEL]["tpot_pct"]
    assert error * 100 == pytest.approx(kept, abs=1)


def test_the_kept_result_is_within_bounds() -> None:
    result = json.loads(RESULT.read_text())
    assert result["held_out_middle_model_tpot_pct"] <= 20
    assert result["held_out_worst_model_tpot_pct"] <= 35
    assert result["tpot_band_covers"] >= 0.8
    assert result["tpot_band_pct"] == pytest.approx(load_calibration().tpot_band_pct, abs=0.1)
    assert set(result["screened"]) >= {"repeated", "campaign"}


def test_a_written_calibration_is_read_back(tmp_path: Path) -> None:
    shipped = load_calibration()
    fitted = Fitted(shipped.factors, shipped.engines)
    file = tmp_path / "calibration.yaml"
    file.write_text(
        calibration_text(fitted, Rows(kept=(), screened={}), 30.0, 80.0).replace(
            "rows: 0", "rows: 1"
        )
    )
    again = load_calibration(file)
    assert again.factors == shipped.factors
    assert again.engines == shipped.engines
    assert (again.tpot_band_pct, again.ttft_band_pct) == (30.0, 80.0)


@rows_at_hand
def test_other_rows_are_judged_without_a_fit(rows: Rows) -> None:
    told = judge(rows)
    assert "all rows" in told
    assert "the band:" in told
    assert "'repeated': 43" in told
