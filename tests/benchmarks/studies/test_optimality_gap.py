"""The command on a small trace, and a bound that the solver did not find."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks.documents import optimality_gap_section as page
from benchmarks.documents.results import read_result
from benchmarks.simulation import linear_program
from benchmarks.studies import optimality_gap
from benchmarks.studies.optimality_gap import cell_of, main, table
from benchmarks.studies.optimality_gap_tasks import ONE_PRICE, TRACES, Done, do_all, parts_of

TRACE, LOAD = "azure-code", 1.5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Azure's format, and few enough requests to be played and bounded in seconds."""
    made, random = tmp_path_factory.mktemp("traces"), Random(1)
    lines = ["TIMESTAMP,ContextTokens,GeneratedTokens"]
    for second in range(0, 400, 4):
        moment = f"2023-11-16 18:{second // 60:02}:{second % 60:02}.0000000"
        lines.append(f"{moment},{random.randint(200, 6_000)},{random.randint(5, 400)}")
    (made / TRACES[TRACE][0]).write_text("\n".join(lines) + "\n")
    return made


@pytest.fixture(scope="module")
def parts(folder: Path) -> list[Done]:
    return list(do_all(parts_of(folder, TRACE, LOAD), 1))


def without_bounds(parts: list[Done]) -> list[Done]:
    return [replace(done, bound_usd=None) if done.part.name == "bound" else done for done in parts]


def test_a_cell_sets_every_policy_against_its_own_bound(parts: list[Done]) -> None:
    document: dict[str, Any] = cell_of(parts).as_json()
    one_price = document["one_price"]
    assert one_price["offer"] == ONE_PRICE
    for found, bid_price in ((document, "learned"), (one_price, "bid_price")):
        assert found["bound_usd"] > 0
        for name in (bid_price, "density_first", "best_threshold", "first_come"):
            times = found[name]["spend_usd"] / found["bound_usd"]
            assert found[name]["spend_over_bound"] == pytest.approx(times)
            assert times >= 1
        assert found["best_threshold"]["buys_above"]
    assert one_price["bound_usd"] != document["bound_usd"]
    assert document["pinned"]["regret"] is None


def test_a_bound_that_was_not_found_is_no_bound_of_0(parts: list[Done]) -> None:
    cell = cell_of(without_bounds(parts))
    document: dict[str, Any] = cell.as_json()
    for found, bid_price in ((document, "learned"), (document["one_price"], "bid_price")):
        assert found["bound_usd"] is None
        assert found[bid_price]["regret"] is found[bid_price]["spend_over_bound"] is None
        assert found[bid_price]["spend_usd"] > 0
    assert {"a bound was found", "a bound was found, one price"} <= set(cell.misses())
    assert not any("regret" in miss for miss in cell.misses())
    assert list(table([cell]).columns[3].cells) == ["no bound", "no bound"]


def test_the_command_keeps_what_it_measured_says_how_far_it_is_and_its_page_is_written(
    parts: list[Done],
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Loads twice over are one; a bound that lacks fails the command and is said everywhere."""
    monkeypatch.setattr(optimality_gap, "do_all", lambda *_: iter(without_bounds(parts)))
    out = tmp_path / "scheduler.json"
    argv = [str(folder), "--traces", TRACE, "--loads", "1.5", "1.5", "--out", str(out)]
    assert main([*argv, "--jobs", "1"]) == 1
    said = capsys.readouterr().err
    assert "1 of 12: azure-code at load 1.5, three-offers: bound, no bound, " in said
    assert "12 of 12" in said
    assert "about 0 min left" in said
    assert "azure-code at 1.5 misses: a bound was found, one price" in said
    (cell,) = json.loads(out.read_text())["cells"]
    assert cell["bound_usd"] is None
    section = page.section(read_result(out))
    assert section.body.count("no bound") == 2
    assert "best threshold" in section.body
    monkeypatch.setattr(optimality_gap, "do_all", lambda *_: iter(parts))
    main(argv)
    (cell,) = json.loads(out.read_text())["cells"]
    section = page.section(read_result(out))
    assert "no bound" not in section.body
    assert "deepinfra/moonshotai/Kimi-K2.5@2026-06-10: 0.45 in, 2.25 out" in section.short
    figures = [
        f"{cell['one_price'][name]['spend_over_bound']:.2f}"
        for name in ("bid_price", "density_first", "best_threshold", "first_come")
    ]
    assert f"|  | one price | {' | '.join(figures)} |" in section.short


def test_a_solver_out_of_time_leaves_the_bound_unknown(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear_program, "SOLVER_S_MAX", 1e-6)
    bounds = [part for part in parts_of(folder, TRACE, LOAD) if part.name == "bound"]
    assert [done.bound_usd for done in do_all(bounds, 1)] == [None, None]


def test_a_trace_that_is_not_there_is_said_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--traces", TRACE]) == 2
    assert "nothing was run" in capsys.readouterr().err
