"""A clock that stands still until a test moves it: nothing depends on how busy the machine is."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from runtime.clock import Clock
from tests.runtime.parts import Stack


class Hand:
    def __init__(self) -> None:
        self._began_ns = time.monotonic_ns()
        self._began_unix_ms = time.time_ns() // 1_000_000
        self._moved_ns = 0
        self.clock = Clock(lambda: self._now_ns() / 1e9, self._now_ns, self._unix_ms)

    def move(self, s: Stack, seconds: float) -> None:
        """So much time passes for the gateway, and it does what is due."""
        self._moved_ns += round(seconds * 1e9)
        s.gateway._tick()

    def after(self, seconds: float) -> str:
        """The time then, as a header has it."""
        now = datetime.fromtimestamp(self._unix_ms() / 1000, UTC)
        return (now + timedelta(seconds=seconds)).isoformat()

    def _now_ns(self) -> int:
        return self._began_ns + self._moved_ns

    def _unix_ms(self) -> int:
        return self._began_unix_ms + self._moved_ns // 1_000_000
