from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.economics import demand as module
from benchmarks.economics.demand import (
    DAY_MEAN_TO_PEAK,
    Demand,
    day_curve,
    flat,
    trace_demand,
)
from benchmarks.economics.input_checks import BadInput
from tests.benchmarks.economics.example import DATA

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


def azure(tmp_path: Path, *seconds: int, tail: str = "") -> Path:
    path = tmp_path / "trace.csv"
    rows = [f"2023-11-16 18:{s // 60:02d}:{s % 60:02d}.0000000,100,25\n" for s in seconds]
    path.write_text(HEADER + "".join(rows) + tail)
    return path


def test_flat_is_flat() -> None:
    assert flat().mean_to_peak == 1
    assert flat().mtok_per_month == Decimal("2.628")


@settings(max_examples=25)
@given(st.decimals("0.03", "1", places=3))
def test_a_day_has_the_mean_to_peak_that_it_is_asked_for(target: Decimal) -> None:
    curve = day_curve(target)
    assert float(curve.mean_to_peak) == pytest.approx(float(target), rel=1e-6)
    assert min(curve.tok_s) >= 0


def test_a_day_is_by_default_a_public_fleets() -> None:
    assert float(day_curve().mean_to_peak) == pytest.approx(float(DAY_MEAN_TO_PEAK))


@pytest.mark.parametrize("target", ["0", "-1", "1.01", "0.001"])
def test_a_day_that_cannot_be_is_refused(target: str) -> None:
    with pytest.raises(BadInput, match="mean to peak"):
        day_curve(Decimal(target))


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=50).filter(lambda rates: max(rates) > 1e-3),
    st.decimals("0.01", "1000000", places=2),
)
def test_scaling_keeps_the_shape(rates: list[float], mtok: Decimal) -> None:
    before = Demand("any", tuple(rates))
    after = before.scaled(mtok)
    assert float(after.mtok_per_month) == pytest.approx(float(mtok))
    assert float(after.mean_to_peak) == pytest.approx(float(before.mean_to_peak))


@pytest.mark.parametrize("rates", [(), (0.0, 0.0), (-1.0, 2.0), (float("nan"),), (float("inf"),)])
def test_rates_that_are_no_demand_are_refused(rates: tuple[float, ...]) -> None:
    with pytest.raises(BadInput, match="a demand needs"):
        Demand("any", rates)


def test_a_trace_keeps_its_tokens_and_its_mix(tmp_path: Path) -> None:
    found = trace_demand(azure(tmp_path, 0, 30, 90, 120))
    assert found.tok_s == pytest.approx((50 / 60, 50 / 60))
    assert found.input_per_output == 4
    assert found.damage is None


def test_of_a_trace_that_breaks_off_what_came_before_counts(tmp_path: Path) -> None:
    found = trace_demand(azure(tmp_path, 0, 30, 90, 120, tail="2023-11-16 18:0"))
    assert found.tok_s == trace_demand(azure(tmp_path, 0, 30, 90, 120)).tok_s
    assert found.damage is not None
    assert "line 6" in found.damage
    assert "cut short" in found.damage


def test_a_trace_without_rows_or_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="line 2"):
        trace_demand(azure(tmp_path, tail="2023"))
    with pytest.raises(BadInput, match="too short"):
        trace_demand(azure(tmp_path, 0, 0))
    with pytest.raises(BadInput, match="cannot be read"):
        trace_demand(tmp_path / "absent.jsonl")
    with pytest.raises(BadInput, match="does not tell its format"):
        trace_demand(tmp_path / "trace.txt")


def test_a_long_trace_has_longer_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS_MAX", 2)
    assert len(trace_demand(azure(tmp_path, 0, 599)).tok_s) == 2


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not here")
def test_a_public_trace() -> None:
    """19,366 requests in about an hour: 5.53 a second with 211 tokens each."""
    found = trace_demand(DATA / "AzureLLMInferenceTrace_conv.csv")
    assert found.mean_tok_s == pytest.approx(5.53 * 211, rel=0.01)
    assert float(found.input_per_output or 0) == pytest.approx(1155 / 211, rel=0.01)
