from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks.economics.read_theta import read_theta
from benchmarks.load.figures import FIGURES
from benchmarks.load.measures import measure
from benchmarks.load.request_row import ErrorKind
from benchmarks.load.result import DOCUMENT, NO_PRICE, ROWS, Bench
from benchmarks.load.row_table import read
from benchmarks.load.run import Run
from benchmarks.load.run_cost import cost
from benchmarks.load.schedule import Traffic
from benchmarks.load.theta_sweep import Sweep, Sweeper
from tests.benchmarks.load.samples import WINDOW, failed, row, run_of, setting
from tests.benchmarks.load.test_theta_sweep import Server

PRICE = Decimal("2.5")
TRAFFIC = Traffic("poisson", 3.0)


def bench_of(*runs: Run, price: Decimal | None = PRICE) -> Bench:
    return Bench(setting(price), TRAFFIC, {"date": "2026-01-02"}, list(runs))


def some(number: int, first_ms: float = 100.0) -> Run:
    rows = [
        row(n, due_s=n / 4, first_token_s=n / 4 + first_ms / 1000, gaps_ms=[7.7 + n] * 4)
        for n in range(30)
    ]
    return run_of([*rows, failed(ErrorKind.HTTP_429)], number, price=PRICE)


def test_cost_from_the_raw_rows_is_the_cost_of_the_report(tmp_path: Path) -> None:
    bench_of(some(0), some(1, 150.0)).keep(tmp_path)
    document = json.loads((tmp_path / DOCUMENT).read_text())
    kept = read(tmp_path / ROWS)
    assert len(kept) == len(document["runs"]) == 2
    for told in document["runs"]:
        found = measure(kept[told["run"]], WINDOW, setting().slo)
        again = cost(PRICE, document["cards"], found.own.good_tok_s, found.own.good_input_tok_s)
        assert again is not None
        assert told["cost"]["usd_per_mtok_output"] == pytest.approx(
            again.usd_per_mtok_output, rel=1e-9
        )
        assert told["ttft_ms"]["p99"] == pytest.approx(found.ttft_ms and found.ttft_ms.p99)
    mean = sum(told["cost"]["usd_per_mtok_output"] for told in document["runs"]) / 2
    assert document["figures"]["usd_per_mtok_output"]["mean"] == pytest.approx(mean)


def test_what_cannot_be_written_is_told_and_leaves_what_was_kept(tmp_path: Path) -> None:
    bench = bench_of(some(0))
    bench.keep(tmp_path)
    (tmp_path / f"{DOCUMENT}.part").mkdir()
    bench.runs.append(some(1))
    bench.keep(tmp_path)
    assert len(read(tmp_path / ROWS)) == 1
    assert len(json.loads((tmp_path / DOCUMENT).read_text())["runs"]) == 1
    assert not bench.is_whole
    assert f"{tmp_path}: cannot be written (Is a directory)" in bench.all_notes()
    (tmp_path / f"{DOCUMENT}.part").rmdir()
    bench.keep(tmp_path)
    assert bench.is_whole
    assert len(read(tmp_path / ROWS)) == 2


def test_a_sweep_can_be_read_as_a_theta(tmp_path: Path) -> None:
    bench = bench_of()
    bench.sweep = Sweep(1, 0.99, PRICE)
    Sweeper(bench.sweep, Server(20.0, hiccups=0.1).attempt).find(4.0, 3)
    bench.keep(tmp_path)
    theta = read_theta(str(tmp_path / DOCUMENT))
    assert float(theta.tok_s) == pytest.approx(100, rel=0.07)


def test_figures_have_bounds_over_runs() -> None:
    figures = bench_of(some(0), some(1, 150.0)).as_json()["figures"]
    assert set(figures) == {figure.key for figure in FIGURES}
    late = figures["ttft_ms_p50"]
    assert late["low"] < late["mean"] < late["high"]
    assert late["mean"] == pytest.approx(125)
    assert figures["utilization"] is None


def test_what_is_missing_is_told_and_never_zero() -> None:
    bench = bench_of(run_of([row()], notes=("a note",)), run_of([row()], 1, notes=("a note",)))
    bench.setting = setting(None)
    document = bench.as_json()
    assert document["notes"] == [NO_PRICE, "a note"]
    assert document["card_usd_per_h"] is None
    assert document["runs"][0]["cost"] is None
    assert document["figures"]["usd_per_mtok_output"] is None


def test_a_run_that_was_stopped_counts_only_where_there_is_no_other() -> None:
    cut = run_of([row(first_token_s=9.0)], 1, is_interrupted=True)
    bench = bench_of(some(0), cut)
    assert bench.as_json()["figures"]["ttft_ms_p50"]["mean"] == pytest.approx(100)
    assert not bench.is_whole
    assert bench_of(cut).as_json()["figures"]["ttft_ms_p50"]["mean"] == pytest.approx(8000)
    assert bench_of(some(0)).is_whole
    assert not bench_of(some(0), run_of([failed(ErrorKind.CONNECT)], 1)).is_whole
    assert not bench_of(run_of([failed(ErrorKind.CONNECT)])).is_whole
