"""How feedback of many days becomes a table, and who is told to have fallen or come back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.clock import Clock
from runtime.config import load_config
from runtime.ledger.ledger import Ledger
from runtime.request_limits import refusals
from runtime.routing.apply_rules import Routing, routing_of
from runtime.routing.learn_from_feedback import Learning
from scheduler.routing import quality_table
from tests.runtime.ledger.test_feedback_log import DAY_MS, NOW_MS, word

CONFIG = {
    "rules": {"coding": {"tasks": ["code"], "candidates": ["tiny-moe"], "quality_floor": 0.7}},
    "feedback_half_life_days": 2,
}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger.open(tmp_path / "ledger.db", owner="test")
    yield made
    made.close()


class Days:
    """A clock whose days a test lets pass."""

    def __init__(self) -> None:
        self.ms = NOW_MS
        self.clock = Clock(unix_ms=lambda: self.ms)


def begun(ledger: Ledger, days: Days) -> tuple[Learning, Routing]:
    learning = Learning(ledger.store, days.clock)
    return learning, routing_of(load_config(CONFIG), learning.table)


def say(ledger: Ledger, score: float, times: int, prefix: str, age_days: int = 0) -> None:
    for number in range(times):
        at_ms = NOW_MS - age_days * DAY_MS
        ledger.feedback.record(word(f"{prefix}{number}", score=score, answered_ms=at_ms))


async def test_results_fade_alike_while_it_runs_and_over_a_restart(ledger: Ledger) -> None:
    days = Days()
    learning, routing = begun(ledger, days)
    say(ledger, 0.0, 8, "now")
    say(ledger, 1.0, 8, "old", age_days=3)
    await learning.learn(routing)
    assert learning.table.quality("tiny-moe", "code", "en").observations == pytest.approx(
        8 + 8 * 0.5, rel=0.01
    )
    days.ms += 4 * DAY_MS - 7
    await learning.learn(routing)
    again, same = begun(ledger, days)
    await again.learn(same)
    for each, count in ((learning, 12 / 4), (again, 8 / 2**1.5 + 8 / 2**3)):
        found = each.table.quality("tiny-moe", "code", "en")
        assert found.observations == pytest.approx(count, rel=0.01)


async def test_who_falls_and_who_comes_back_is_told_once(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "baseload.quality")
    days = Days()
    learning, routing = begun(ledger, days)
    await learning.learn(routing)
    say(ledger, 0.2, 10, "bad")
    for _ in range(2):
        await learning.learn(routing)
    assert learning.seen.demotions == {("coding", "tiny-moe"): 1}
    assert [each.is_demoted for each in learning.seen.standings] == [False, True]  # all; in English
    days.ms += 3 * DAY_MS
    for _ in range(2):
        await learning.learn(routing)
    said = [record.getMessage() for record in caplog.records]
    assert ["is below" in each for each in said] == [True, False]
    assert "is no longer below" in said[1]
    assert not any(each.is_demoted for each in learning.seen.standings)


async def test_what_had_fallen_before_a_start_is_told_and_not_counted(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    say(ledger, 0.2, 10, "bad")
    learning, routing = begun(ledger, Days())
    await learning.learn(routing)
    assert "is below its floor" in caplog.text
    assert not learning.seen.demotions


async def test_a_full_table_counts_what_it_cannot_take(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality_table, "CELLS_MAX", 2)
    before = refusals["quality_cells_max"]
    say(ledger, 0.2, 3, "bad")
    learning, routing = begun(ledger, Days())
    await learning.learn(routing)
    assert refusals["quality_cells_max"] == before + 1
