from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runtime.ledger.group_commit import COMMIT_INTERVAL_S
from runtime.ledger.yield_to_writer import GIVE_WAY_AFTER_S, GIVE_WAY_EVERY_S, GIVE_WAY_S, GivingWay


class _Loop:
    """Its timers, of which a test lets one go off at a time."""

    def __init__(self) -> None:
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, delay_s: float, call: Callable[..., None], *args: Any) -> None:
        self.timers.append((delay_s, lambda: call(*args)))

    def go_off(self) -> float:
        delay_s, call = self.timers.pop(0)
        call()
        return delay_s


class _Writer:
    is_idle = is_paced = False

    def idle(self) -> bool:
        return self.is_idle

    def paced(self) -> bool:
        return self.is_paced


def test_a_loop_gives_way_from_a_while_after_its_first_row_until_none_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    loop, writer = _Loop(), _Writer()
    gives_way = GivingWay(writer)  # type: ignore[arg-type]
    for _ in range(3):
        gives_way.begin(loop)  # type: ignore[arg-type]
    assert len(loop.timers) == 1
    assert loop.go_off() == GIVE_WAY_AFTER_S
    assert loop.go_off() == GIVE_WAY_EVERY_S
    assert slept == [GIVE_WAY_S] * 2
    writer.is_paced = True  # it sleeps by itself: there is nobody to give way to
    loop.go_off()
    assert loop.go_off() == COMMIT_INTERVAL_S
    assert slept == [GIVE_WAY_S] * 2
    writer.is_idle = True
    loop.go_off()
    assert loop.timers == []
    gives_way.begin(loop)  # type: ignore[arg-type]
    assert loop.go_off() == GIVE_WAY_AFTER_S
    assert slept == [GIVE_WAY_S] * 2


def test_each_loop_gives_way_for_itself() -> None:
    """As when one ended with rows under way."""
    ended, loop = _Loop(), _Loop()
    gives_way = GivingWay(_Writer())  # type: ignore[arg-type]
    gives_way.begin(ended)  # type: ignore[arg-type]
    gives_way.begin(loop)  # type: ignore[arg-type]
    assert len(loop.timers) == 1
