"""The study of two pools: the same requests in all its cases, and bounds that are found once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks.documents import two_pools_section
from benchmarks.documents.results import read_result
from benchmarks.simulation.clairvoyant_bound import Bound
from benchmarks.simulation.workload import Workload
from benchmarks.studies import two_pools
from benchmarks.studies.two_pools import CASES, CHEAP, DEAR, TRACES, Setting, cases, workload
from benchmarks.studies.two_pools_file import digest_of
from scheduler.routing.rule import named

SETTING = Setting(CHEAP, 2.0, 0.5, 1)
GAP_S = 0.4


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Short traces, and a horizon to match."""
    start = datetime(2024, 1, 1)
    for number, name in enumerate(TRACES):
        lines = [
            f"{start + timedelta(seconds=row * GAP_S)},{900 + 13 * row % 400},{30 + row % 70}"
            for row in range(240 + 40 * number)
        ]
        text = "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "\n".join(lines) + "\n"
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(two_pools, "HORIZON_S", 6.0)
    monkeypatch.setattr(two_pools, "LOADS", ((2.0, 0.5),))
    return tmp_path


def test_the_rules_requests_may_go_anywhere_and_the_others_only_to_the_other_pool(
    folder: Path,
) -> None:
    made = workload(folder, SETTING)
    following = [each for each in made.requests if each.rule.name]
    named_ones = [each for each in made.requests if not each.rule.name]
    assert {each.models for each in following} == {(CHEAP, DEAR)}
    assert {each.offer_ids for each in following} == {("sells-cheap", "sells-dear")}
    assert {(each.models, each.offer_ids) for each in named_ones} == {((DEAR,), ("sells-dear",))}
    blocks = [{b for each in part for b in each.blocks} for part in (following, named_ones)]
    assert blocks[0]
    assert blocks[1]
    assert not blocks[0] & blocks[1]
    times = [each.at_s for each in made.requests]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] < 6.0
    pools = {pool.model: pool for pool in two_pools.pools()}
    parts: tuple[tuple[list[Any], str, float], ...] = (
        (following, CHEAP, 2.0),
        (named_ones, DEAR, 0.5),
    )
    for part, model, load in parts:
        alone = replace(made, requests=tuple(part))
        assert alone.load_of([pools[model]]) == pytest.approx(load, rel=0.25)


def test_each_seed_begins_elsewhere(folder: Path) -> None:
    first, again, second = (workload(folder, replace(SETTING, seed=s)) for s in (1, 1, 2))
    assert first == again
    tokens = [[each.prompt_tokens for each in made.requests] for made in (first, second)]
    assert tokens[0] != tokens[1]


def test_every_case_has_the_same_requests_at_the_same_times(folder: Path) -> None:
    joined = workload(folder, SETTING)
    found = {name: requests for name, requests, *_ in cases(SETTING, joined)}
    assert tuple(found) == CASES

    def work(made: Workload) -> list[tuple[float, int, int]]:
        return [(each.at_s, each.prompt_tokens, each.output_tokens) for each in made.requests]

    assert all(work(made) == work(joined) for made in found.values())
    for name, models in (("full_alone", {CHEAP}), ("other_alone", {DEAR})):
        pairs = zip(joined.requests, found[name].requests, strict=True)
        rules = {now.rule for before, now in pairs if before.rule.name}
        assert rules == {named(model) for model in models}


def test_a_bound_is_found_once_and_cases_are_measured_one_by_one(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "two_pools.json"
    arguments = [str(folder), "--seeds", "1", "--full", CHEAP, "--out", str(out), "--cases"]
    two_pools.main([*arguments, "joined"])
    (cell,) = json.loads(out.read_text())["cells"]
    assert list(cell["cases"]) == ["joined"]
    assert 0 <= cell["bound_usd"] <= cell["cases"]["joined"]["spend_usd"]
    assert "1 of 1: cheap at 2, dear at 0.5, seed 1: joined 0." in capsys.readouterr().out

    def refuse(*_: Any) -> Bound:
        raise AssertionError("the bound is known")

    monkeypatch.setattr(two_pools, "pools_bound", refuse)
    two_pools.main([*arguments, "full_alone"])
    (later,) = json.loads(out.read_text())["cells"]
    assert later["cases"]["joined"] == cell["cases"]["joined"]
    assert set(later["cases"]) == {"joined", "full_alone"}
    monkeypatch.setattr(two_pools, "TTFT_MS", 3_000)
    with pytest.raises(AssertionError, match="the bound is known"):
        two_pools.main([*arguments, "joined"])


def test_the_digest_is_of_requests_and_engines(folder: Path) -> None:
    made, pools = workload(folder, SETTING), two_pools.pools()
    fewer = replace(made, requests=made.requests[1:])
    smaller = [replace(pools[0], replicas=1), pools[1]]
    digests = {digest_of(made, pools), digest_of(fewer, pools), digest_of(made, smaller)}
    assert len(digests) == 3
    assert digest_of(made, pools) in digests


def test_the_section_shows_every_cell_and_what_was_not_played_as_a_dash(tmp_path: Path) -> None:
    def cell(bound_usd: float | None, regret: float | None) -> dict[str, Any]:
        case = {"spend_usd": 2.5, "regret": regret}
        setting = {"full": CHEAP, "load": 1.5, "other_load": 0.5, "seed": 1}
        return {**setting, "bound_usd": bound_usd, "buy_all_usd": 9.0, "cases": {"joined": case}}

    cells = [cell(2.0, 0.04), cell(2.0, 0.08), cell(None, None)]
    cells[0]["cases"]["full_alone"] = {"spend_usd": 4.0, "regret": 0.3}
    source = {
        "date": "2026-11-30T00:00:00+00:00",
        "machine": {"cpu": "a", "cores": 2, "memory_gib": 1},
    }
    made = {"provenance": {**source, "versions": {}}, "command": "x", "cells": cells}
    path = tmp_path / "two_pools.json"
    path.write_text(json.dumps(made))
    text = two_pools_section.section(read_result(path)).text()
    assert text.count("| cheap | 1.5 |") == 3
    assert "no bound" in text
    assert "the full pool alone, USD | regret joined" in text
    assert "first come" not in text
    assert "| 2.5000 | 4.0000 | 0.040 |" in text
    assert "| 2.5000 | – | 0.080 |" in text
    assert "1 of 2 cells with a bound are within 0.05 of it" in text
    assert "the mean is 0.060, the worst 0.080" in text
