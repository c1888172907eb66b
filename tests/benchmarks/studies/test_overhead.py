from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.rig.comparison import Pair, compare
from benchmarks.rig.gateway_alone import (
    GATEWAY,
    SHORT,
    SPREAD,
    USUAL,
    Cell,
    Shape,
    chunks_per_s,
    cpu_us_per_chunk,
)
from benchmarks.rig.provenance import cpu_model, rounded_floats
from benchmarks.studies.overhead import QUICK, Overhead
from benchmarks.studies.overhead_tables import alone_table, comparison_table
from tests.benchmarks.rig.test_comparison import CELL


def alone(shape: Shape, cpu_us: float, reads_s: float) -> Cell:
    cpu_s = {GATEWAY: cpu_us * CELL.chunks / 1e6}
    return Cell(shape, replace(CELL, cpu_s=cpu_s, reads_s=reads_s))


CELLS = [
    alone(USUAL, 20, 9_900),
    alone(SHORT, 40, 9_500),
    alone(USUAL, 24, 9_900),
    alone(SPREAD, 33, 9_900),
    alone(USUAL, 90, 9_900),
    alone(Shape(30_000), 5, 21_000),
    alone(Shape(50_000), 5, 18_000),
]


def test_cpu_is_the_median_of_one_shape() -> None:
    assert cpu_us_per_chunk(CELLS, USUAL) == pytest.approx(24)
    assert cpu_us_per_chunk(CELLS, SHORT) == pytest.approx(40)
    assert cpu_us_per_chunk(CELLS, SPREAD) == pytest.approx(33)


def test_what_others_took_is_the_rest_of_the_machines_cpu() -> None:
    cell = alone(USUAL, 500, 9_900)  # 0.5 s of the gateway and 0.5 s of the client in 5 s
    assert cell.others_cpu_share == pytest.approx((2.0 - 0.5 - 0.5) / 5.0)


def test_highest_rate_counts_merged_chunks_once() -> None:
    assert chunks_per_s(CELLS) == 21_000


def run_of(stack: bool, gateway_alone: bool) -> Overhead:
    run = Overhead(QUICK, None)
    if stack:
        slow = replace(CELL, req_s=17.0, ttft_ms_p50=7.5)
        for c in (1, 32):
            pair = Pair(replace(CELL, concurrency=c), replace(slow, concurrency=c))
            run.comparisons.append(compare([pair]))
    if gateway_alone:
        run.cells = CELLS
        ruled = replace(CELL, ttft_ms_p50=CELL.ttft_ms_p50 + 0.25)
        run.policy = [compare([Pair(replace(CELL, concurrency=1), replace(ruled, concurrency=1))])]
    return run


def test_document_has_the_headline_and_the_raw_cells() -> None:
    told = json.loads(json.dumps(run_of(stack=True, gateway_alone=True).document()))
    assert told["throughput_ratio_c32"] == 0.85
    assert told["added_ttft_p50_ms_c1"] == 2.5
    assert told["cpu_us_per_chunk_c64"] == 24
    assert told["chunks_per_s_per_process"] == 21_000
    assert told["rules_added_ttft_p50_ms_c1"] == 0.25
    assert len(told["with_rules"]) == 1
    assert told["through_baseload"][0]["pairs"][0]["baseload"]["req_s"] == 17
    assert len(told["gateway_alone"]) == len(CELLS)
    assert {"python", "ray", "torch"} <= told["versions"].keys()
    assert {"cpu", "cores", "memory_gib"} <= told["machine"].keys()


def test_a_part_that_failed_leaves_the_other() -> None:
    told = run_of(stack=False, gateway_alone=True).document()
    assert told["throughput_ratio_c32"] is None
    assert told["cpu_us_per_chunk_c64"] == 24
    told = run_of(stack=True, gateway_alone=False).document()
    assert told["throughput_ratio_c32"] == 0.85
    assert told["chunks_per_s_per_process"] is None


def test_failed_part_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(self: Overhead, folder: Path) -> None:
        raise OSError("no such command")

    monkeypatch.setattr(Overhead, "_compare_all", refuse)
    monkeypatch.setattr(Overhead, "_measure_alone", lambda self, folder: None)
    run = Overhead(QUICK, None)
    run.run(tmp_path)
    assert run.document()["failures"] == ["the stack: no such command"]


def test_tables_show_every_cell() -> None:
    run = run_of(stack=True, gateway_alone=True)
    page = Console(file=io.StringIO(), width=120)
    page.print(comparison_table(run.comparisons))
    page.print(alone_table(run.cells))
    assert isinstance(page.file, io.StringIO)
    text = page.file.getvalue()
    assert text.count("TTFT p50 ms") == 2
    assert "0.85" in text
    assert "+2.5" in text
    assert text.count("\n│") >= 2 * 6 + len(CELLS)


def test_rounding_reaches_nested_values() -> None:
    assert rounded_floats({"a": [1.23456, (2, "x", None)]}) == {"a": [1.235, [2, "x", None]]}


def test_cpu_model_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("processor: 0\nmodel name\t: Some CPU @ 2 GHz\nmodel name\t: Other\n")
    assert cpu_model(file) == "Some CPU @ 2 GHz"
    assert cpu_model(tmp_path / "none") != ""
