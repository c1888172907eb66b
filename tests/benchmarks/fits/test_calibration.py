from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.fits.calibration import Layout, calibrate, main, read_points
from benchmarks.rig.step_fit import CalibrationError
from benchmarks.simulation.profile import PROFILES_FOLDER, Profile, load_profile
from scheduler.replica import EngineLimits
from tests.benchmarks.rig.closed_loop_load import closed_loop

ROWS = Path(__file__).parents[4] / "shared" / "data" / "measured_h100_h200_sample.csv"
needs_rows = pytest.mark.skipif(not ROWS.exists(), reason=f"{ROWS.name} is not on this machine")
H200 = PROFILES_FOLDER / "h200.json"
LAYOUT = Layout("h200_sxm", "moonshotai/Kimi-K2.5", "vllm", "0.16.0", cards=8)
KNOWN = Profile(
    name="known",
    source="a test",
    prefill_tok_s=20_000.0,
    step_fixed_s=0.009,
    step_request_s=3e-4,
    step_kv_token_s=1.5e-7,
    kv_tokens_max=10**6,
    running_max=32,
    batched_tokens_max=8192,
    context_tokens_max=32_768,
)
ROW = {
    "mode": "agg",
    "system": LAYOUT.system,
    "model_path": LAYOUT.model,
    "backend": LAYOUT.engine,
    "backend_version": LAYOUT.engine_version,
    "tp_size": "8",
    "moe_tp_size": "8",
    "isl": "1024",
    "osl": "512",
    "batch_size": "4",
    "silicon_ttft_ms": "150.004",
    "silicon_tpot_ms": "10.0",
}


def arguments(rows: Path, out: Path) -> list[str]:
    """The command that the shipped profile says it comes from."""
    shipped = json.loads(H200.read_text())
    origin = shipped["provenance"]
    engine, _, version = origin["engine"].partition(" ")
    options = {
        "--rows": rows,
        "--data-source": origin["data"],
        "--model": origin["model"],
        "--system": origin["measured_on"],
        "--engine": engine,
        "--engine-version": version,
        "--cards": origin["cards_per_replica"],
        "--kv-tokens-max": shipped["kv_tokens_max"],
        "--context-tokens-max": shipped["context_tokens_max"],
        "--batched-tokens-max": shipped["batched_tokens_max"],
        "--limits-source": origin["limits"],
        "--out": out,
    }
    return [str(word) for option in options.items() for word in option]


@needs_rows
def test_the_shipped_profile_is_what_the_rows_give(tmp_path: Path) -> None:
    again = tmp_path / "h200.json"
    assert main(arguments(ROWS, again)) == 0
    found, shipped = json.loads(again.read_text()), json.loads(H200.read_text())
    origin, shipped_origin = found.pop("provenance"), shipped.pop("provenance")
    assert found == {
        key: pytest.approx(value, rel=2e-3) if isinstance(value, float) else value
        for key, value in shipped.items()
    }
    assert origin["error_pct_by_row"] == pytest.approx(shipped_origin["error_pct_by_row"], abs=0.2)


def test_the_shipped_profile_is_close_to_what_was_measured() -> None:
    origin = json.loads(H200.read_text())["provenance"]
    assert origin["rows"] >= 10
    assert origin["error_pct"] <= 10
    assert origin["error_left_out_pct"] <= 15


@needs_rows
@pytest.mark.parametrize("lengths", [(1024, 1024), (8192, 1024)])
def test_the_shipped_profile_shows_the_queueing_that_it_was_not_fitted_to(
    lengths: tuple[int, int],
) -> None:
    profile = load_profile("h200")
    outside_s = json.loads(H200.read_text())["provenance"]["outside_steps_s"]
    with ROWS.open(newline="") as file:
        points = read_points(csv.DictReader(file), LAYOUT)
    larger = [p for p in points if (p.prompt_tokens, p.output_tokens) == lengths]
    larger = [p for p in larger if p.concurrency >= 16]
    assert larger
    for point in larger:
        modelled = closed_loop(profile, *lengths, point.concurrency, outside_s)
        assert modelled.ttft_s == pytest.approx(point.ttft_s, rel=0.2)
        assert modelled.tpot_s == pytest.approx(point.tpot_s, rel=0.1)


def test_a_known_step_model_is_found_from_its_closed_loops() -> None:
    loops = [(512, 128), (512, 512), (4096, 128)]
    points = [closed_loop(KNOWN, *loop, clients, 0.1) for loop in loops for clients in (1, 4, 32)]
    limits = EngineLimits(10**6, 32_768, 32, 8192)
    found = calibrate(points, limits, name="known", source="a test")
    profile = found.profile
    assert profile.prefill_tok_s == pytest.approx(KNOWN.prefill_tok_s, rel=0.05)
    assert profile.step_fixed_s == pytest.approx(KNOWN.step_fixed_s, rel=0.05)
    assert profile.step_request_s == pytest.approx(KNOWN.step_request_s, rel=0.05)
    assert profile.step_kv_token_s == pytest.approx(KNOWN.step_kv_token_s, rel=0.05)
    assert found.outside_steps_s == pytest.approx(0.1, rel=0.1)
    assert found.fit.error_pct < 2


def test_a_loop_in_several_dumps_counts_once() -> None:
    same = ROW | {"silicon_ttft_ms": "150.0"}
    other = ROW | {"silicon_ttft_ms": "170.0", "silicon_tpot_ms": "12.0"}
    (point,) = read_points([ROW, same, same, other], LAYOUT)
    assert (point.ttft_s, point.tpot_s) == pytest.approx((0.16, 0.011))


@pytest.mark.parametrize(
    "column", ["mode", "system", "model_path", "backend", "backend_version", "tp_size"]
)
def test_rows_of_another_layout_do_not_count(column: str) -> None:
    assert read_points([ROW | {column: "other"}], LAYOUT) == []


@pytest.mark.parametrize("text", ["", "fast"])
def test_a_broken_row_is_named(text: str) -> None:
    with pytest.raises(CalibrationError, match="row 2"):
        read_points([ROW, ROW | {"silicon_tpot_ms": text}], LAYOUT)


@pytest.mark.parametrize(
    ("column", "text"),
    [("silicon_ttft_ms", "nan"), ("silicon_tpot_ms", "0"), ("osl", "1"), ("batch_size", "0")],
)
def test_a_loop_that_cannot_be_is_refused(column: str, text: str) -> None:
    with pytest.raises(CalibrationError, match="closed loop"):
        read_points([ROW | {column: text}], LAYOUT)


def test_most_requests_of_a_long_loop_decode() -> None:
    (point,) = read_points([ROW], LAYOUT)
    long = replace(point, output_tokens=100_000).step()
    assert long.running == pytest.approx(4, rel=0.01)
    assert long.kv_tokens == pytest.approx(4 * (0.9 * 1024 + 45_000), rel=0.01)
    slow_start = replace(point, ttft_s=point.tpot_s * (0.9 * 512 - 1)).step()
    assert slow_start.running == pytest.approx(2.5)


def test_a_model_without_rows_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(",".join(ROW) + "\n")
    out = tmp_path / "h200.json"
    assert main(arguments(rows, out)) == 2
    assert "no row" in capsys.readouterr().err
    assert not out.exists()
