from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from benchmarks.documents import bench_section, numbers_page
from benchmarks.documents.command import ROOT
from benchmarks.documents.results import FOLDER, read_result
from benchmarks.documents.template import page_of
from benchmarks.documents.unsectioned_result import ROWS_MAX
from benchmarks.load.result import Bench
from benchmarks.load.schedule import Traffic
from benchmarks.load.theta_sweep import Sweep, Sweeper
from benchmarks.studies.cross_check import FIGURES
from tests.benchmarks.documents.example_documents import ORIGIN, keep, peers
from tests.benchmarks.load.samples import row, run_of, setting
from tests.benchmarks.load.test_theta_sweep import Server

RESULTS = ROOT / FOLDER


def swept(price: Decimal | None, tok_s: float = 20.0) -> dict[str, Any]:
    made = Bench(setting(price), Traffic("poisson", 1.0), ORIGIN)
    made.sweep = Sweep(1, 0.99, price)
    Sweeper(made.sweep, Server(tok_s).attempt).find(4.0, 2)
    made.runs = [point.run for point in made.sweep.points]
    document: dict[str, Any] = json.loads(json.dumps(made.as_json()))
    return document


def test_what_was_not_measured_is_left_out(tmp_path: Path) -> None:
    assert numbers_page.sections(tmp_path) == []
    page = page_of("numbers", [])
    assert page.startswith("# Numbers\n\nEach section says when and on what it was measured")
    assert page.endswith("on a machine of two cores.")
    assert numbers_page.in_short([]) == ""


def test_one_result_alone_has_the_section_that_it_has_among_all(tmp_path: Path) -> None:
    shutil.copy(RESULTS / "overhead.json", tmp_path)
    (alone,) = numbers_page.sections(tmp_path)
    assert alone.text() in (ROOT / "docs/numbers.md").read_text(encoding="utf-8")


def test_a_figure_that_changes_changes_its_section(tmp_path: Path) -> None:
    document = json.loads((RESULTS / "overhead.json").read_text())
    before = numbers_page.sections(RESULTS)[0]
    document["chunks_per_s_per_process"] = 12_345.6
    keep(tmp_path, "overhead.json", document)
    (after,) = numbers_page.sections(tmp_path)
    assert after.text() != before.text()
    assert "12,346 chunks/s" in after.text()
    assert "12,346 chunks/s" in after.short


def test_a_result_that_nobody_knows_still_has_a_section(tmp_path: Path) -> None:
    found = {"tokens_s": 1234.5, "is_quiet": True, "note": "a <b>", "none": None, "empty": []}
    rows = [{"name": "a|b", "ms": 1.5}, {"name": "c", "ms": None, "late": False}]
    found |= {"by_name": rows, "raw": [{"nested": [1]}], "long": [{"n": 1}] * (ROWS_MAX + 1)}
    keep(tmp_path, "h100_moe.json", ORIGIN | found)
    (section,) = numbers_page.sections(tmp_path)
    assert section.title == "H100 moe"
    for line in (
        "| Tokens s | 1,234.5 |",
        "| Is quiet | yes |",
        "- Note: a &lt;b>",
        "By name:\n\n| Name | Ms | Late |",
        "| a\\|b | 1.5 | – |\n| c | – | no |",
    ):
        assert line in section.body
    for name in ("Raw:\n", "Long", "None", "Empty", "nested"):
        assert name not in section.body


@pytest.mark.parametrize("price", [Decimal(2), None])
def test_a_sweep_shows_theta_and_its_curve(tmp_path: Path, price: Decimal | None) -> None:
    document = swept(price)
    keep(tmp_path, "bench.json", document)
    keep(tmp_path, "bench-h100.json", document)
    found = numbers_page.sections(tmp_path)
    assert [list(section.plots) for section in found] == [["bench-h100"], ["bench"]]
    text = found[1].text()
    assert "![" in text
    assert text.count("| yes |") + text.count("| no |") == len(document["curve"])
    assert ("no price" in text) == (price is None)
    assert "2 sweeps lie within" in found[1].short
    assert "output tokens per second and card" in found[1].short


def test_a_sweep_without_a_theta_says_why(tmp_path: Path) -> None:
    document = swept(None, tok_s=0.0)
    section = bench_section.section(read_result(keep(tmp_path, "bench.json", document)))
    assert "No theta: every rate" in section.body
    assert section.short == ""
    assert section.plots == {}


def test_runs_without_a_sweep_show_their_figures(tmp_path: Path) -> None:
    made = Bench(setting(), Traffic("poisson", 1.0), ORIGIN, [run_of([row()]), run_of([row()], 1)])
    section = bench_section.section(read_result(keep(tmp_path, "bench.json", made.as_json())))
    assert section.title == "Load on m"
    assert "| first token, p50 | 100 ms | ± 0.0 ms |" in section.body
    assert "| utilization |" not in section.body


def test_two_clients_stand_side_by_side(tmp_path: Path) -> None:
    figure = {"vllm": 10.0, "ours": 10.25, "ratio": 1.025, "ratio_min": 0.99, "ratio_max": 1.04}
    load = {"load": "8 under way", "figures": dict.fromkeys(FIGURES, figure), "pairs": [{}, {}]}
    asked = {"at_most": 0.05, "seconds": 30.0, "input_tokens": 128, "output_tokens": 64}
    keep(tmp_path, "second_opinion.json", ORIGIN | asked | {"holds": True, "loads": [load]})
    (section,) = numbers_page.sections(tmp_path)
    assert "| 8 under way | TTFT mean, ms | 10.0 | 10.2 | 1.025 (0.990–1.040) |" in section.body
    assert "All within 5 %." in section.body
    keep(tmp_path, "second_opinion.json", ORIGIN | asked | {"holds": False, "loads": [load]})
    assert "Not all within 5 %." in numbers_page.sections(tmp_path)[0].body


def test_the_planner_stands_without_a_peer(tmp_path: Path) -> None:
    document = json.loads((RESULTS / "planner.json").read_text())
    document.pop("peers", None)
    keep(tmp_path, "planner.json", document)
    (alone,) = numbers_page.sections(tmp_path)
    assert "AIConfigurator" not in alone.text() + alone.short
    missing = document | {"peers": ORIGIN | {"peer_left_out": "it is not there", "rows": 1}}
    columns = {"ours": document["held_out"], "plain roofline": document["in_sample"]}
    missing["peers"] |= {"all_rows": columns, "answered_by_all": columns}
    keep(tmp_path, "planner.json", missing)
    (beside,) = numbers_page.sections(tmp_path)
    assert "left out: it is not there" in beside.text()
    assert beside.short == alone.short


def test_peers_stand_beside_baseload(tmp_path: Path) -> None:
    keep(tmp_path, "peers.json", peers())
    (section,) = numbers_page.sections(tmp_path)
    text = section.text()
    for line in (
        "| as fast | 0.95 (0.91 to 1.01) | 0.9 | yes |\n| all answered | 1.00 | 1 | yes |",
        "| more | – | 1 | not measured |\n\nIn brackets: where the ratio lies with a confidence of",
        "- Left out: smg: no wheel",
        "| 32 | LiteLLM proxy 1.2 | 90.0 | 90 | 0.90 (0.80–1.00) | 90 | 90 | 21 | 0 |",
        "| nothing | 200 | 25.0% | 0 | 0 | 150 | 10 | – | 5 | 2.0000 | 17 |",
        "plots/peers.svg",
    ):
        assert line in text
    assert "What failed" not in text
    assert "the engines asked directly give 1.1 times what comes through it" in text
    assert "| Baseload | 0.90 | 90 | 21 | 100.0% | 0 | 67 |" in section.short
    assert "| nothing | – | – | – | 25.0% | 150 | 17 |" in section.short


def test_a_claim_that_the_engines_leave_room_for_needs_no_excuse(tmp_path: Path) -> None:
    document = peers()
    document["engines"][1]["figures"]["chunks_s"]["ratio"] = 0.1
    keep(tmp_path, "peers.json", document)
    assert "out of reach" not in numbers_page.sections(tmp_path)[0].body


def test_verdicts_without_bounds_stand_alone(tmp_path: Path) -> None:
    document = peers()
    for each in document["verdicts"]:
        each["low"] = each["high"] = None
    keep(tmp_path, "peers.json", document)
    body = numbers_page.sections(tmp_path)[0].body
    assert "| as fast | 0.95 | 0.9 | yes |" in body
    assert "In brackets" not in body


def test_peers_that_were_only_tried_in_part(tmp_path: Path) -> None:
    parts = {"engines": [], "overload": [], "failures": ["a | b"]}
    keep(tmp_path, "peers.json", peers() | parts)
    (section,) = numbers_page.sections(tmp_path)
    assert section.plots == {}
    assert "What failed: a \\| b." in section.body
    assert "times what the engines answer" not in section.body
    keep(tmp_path, "peers.json", peers() | parts | {"scripted": [], "verdicts": []})
    assert numbers_page.sections(tmp_path)[0].short == ""


def test_a_cell_that_misses_is_named(tmp_path: Path) -> None:
    document = json.loads((RESULTS / "scheduler.json").read_text())
    document["cells"] = document["cells"][:3]
    for cell in document["cells"]:
        cell["misses"] = []
    keep(tmp_path, "scheduler.json", document)
    assert "Every line that is asked of a cell holds." in numbers_page.sections(tmp_path)[0].body
    document["cells"][1]["misses"] = ["a <line>"]
    document["cells"][1]["told"]["slo_attainment"] = 0.99999
    keep(tmp_path, "scheduler.json", document)
    (section,) = numbers_page.sections(tmp_path)
    assert "Azure conv at 1.1: a &lt;line>." in section.body
    assert "At least 99.99 % of the requests" in section.short
    cell = document["cells"][1]
    times = cell["learned"]["spend_usd"] / cell["bound_usd"]
    assert "one of three assumed offers, thirty times apart, drawn at random" in section.short
    assert f"|  | spend ÷ bound | {times:.2f} / " in section.short
