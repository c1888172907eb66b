from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks.economics.input_checks import BadInput
from tests.benchmarks.economics.example import DATA
from tests.benchmarks.economics.meter_rows import read_meter_rows, sweeps

METER = DATA / "vllm_cost_meter_h100.csv"
HEADER = (
    "config,model,hardware,gpus,rps,tps_output,ttft_p99_ms,tpot_p90_ms,gpu_util_pct,gpu_cost_hr,"
    "c_eff_per_mtok\n"
)
SLOW = "X,m,H100,2,100,4000,9000,50,60,8,0.5556\n"
GOOD = "X,m,H100,2,10,2000,300,20,90,8,1.1111\n"
NO_COUNTER = "X,m,H100,2,1,200,100,10,,8,11.111\n"


def written(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "meter.csv"
    path.write_text(HEADER + "".join(rows))
    return path


def test_full_use_costs_more_within_the_slo(tmp_path: Path) -> None:
    """2 cards at $4: 4000 tok/s at saturation, 2000 while first tokens come in time."""
    (found,) = sweeps(read_meter_rows(written(tmp_path, SLOW, GOOD, NO_COUNTER)))
    figures = (found.raw_tok_s, found.slo_tok_s, found.card_usd)
    assert figures == (Decimal(2000), Decimal(1000), Decimal(4))
    assert [row.rate_per_s for row in found.rows] == [1, 10, 100]
    assert float(found.raw_usd) == pytest.approx(0.5556, abs=1e-4)
    assert float(found.slo_usd or 0) == pytest.approx(1.1111, abs=1e-4)
    for row in found.rows:
        assert float(found.usd_per_mtok(row)) == pytest.approx(float(row.published_usd), rel=1e-3)
    assert [row.busy_share is None for row in found.rows] == [True, False, False]


def test_where_no_rate_meets_the_slo_there_is_no_capacity(tmp_path: Path) -> None:
    (found,) = sweeps(read_meter_rows(written(tmp_path, SLOW)))
    assert (found.slo_tok_s, found.slo_usd) == (None, None)


def test_a_row_cut_short_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="line 3: lacks c_eff_per_mtok: cut short"):
        read_meter_rows(written(tmp_path, GOOD, GOOD[:31] + "\n"))
    with pytest.raises(BadInput, match="line 2: tps_output"):
        read_meter_rows(written(tmp_path, GOOD.replace("2000", "many")))
    with pytest.raises(BadInput, match="cannot be read"):
        read_meter_rows(tmp_path / "absent.csv")


@pytest.mark.skipif(not METER.is_file(), reason="the shared data is not here")
def test_the_public_runs_give_their_own_cost_and_the_slos() -> None:
    found = sweeps(read_meter_rows(METER))
    rows = [(sweep, row) for sweep in found for row in sweep.rows]
    assert (len(found), len(rows)) == (20, 140)
    for sweep, row in rows:
        ours, published = float(sweep.usd_per_mtok(row)), float(row.published_usd)
        assert ours == pytest.approx(published, rel=0.01)
    dearer = [float(s.slo_usd / s.raw_usd) for s in found if s.slo_usd is not None]
    assert len(dearer) == len(found)
    assert all(1 <= ratio < 5 for ratio in dearer)
    assert sum(ratio > 1.2 for ratio in dearer) == 15


@pytest.mark.skipif(not METER.is_file(), reason="the shared data is not here")
def test_a_busy_card_is_not_a_used_card() -> None:
    """Llama-3.1-8B on one H100 at 1 request/s: 78 % busy at 4 % of its capacity, $7.60 per M."""
    (sweep,) = (each for each in sweeps(read_meter_rows(METER)) if each.config == "C1")
    row = sweep.rows[0]
    assert float(row.tok_s_per_card / sweep.raw_tok_s) == pytest.approx(0.04, abs=0.002)
    assert float(row.busy_share or 0) == pytest.approx(0.78, abs=0.005)
    assert float(sweep.usd_per_mtok(row)) == pytest.approx(7.60, abs=0.01)
