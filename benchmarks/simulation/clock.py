"""Simulated time: what is to happen when, in one order that a seed repeats."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any


class Clock:
    """Events of one moment happen in the order in which they were set."""

    __slots__ = ("_count", "_events", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self._count = 0

    def at(self, when_s: float, act: Callable[[Any], None], subject: Any = None) -> None:
        self._count += 1
        heappush(self._events, (when_s, self._count, act, subject))

    def run(self, is_over: Callable[[], bool]) -> None:
        """Runs events until it is over, which is asked after each one."""
        while self._events:
            self.now, _, act, subject = heappop(self._events)
            act(subject)
            if is_over():
                return
