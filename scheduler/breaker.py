"""Keeps requests away from a target that fails again and again.

Closed until a run of consecutive failures, then open for a time that doubles with each failed
probe up to a cap, then half-open: one probe decides. Requests that were already under way when
it opened are ignored, and so is what a client did: neither says anything about the target.
"""

from __future__ import annotations

from enum import StrEnum

from scheduler.decision import Outcome
from scheduler.settings import Settings

DOUBLINGS_MAX = 32


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    __slots__ = ("_failures", "_open_until", "_openings", "_probe")

    def __init__(self) -> None:
        self._failures = 0
        self._openings = 0
        self._open_until: float | None = None
        self._probe: str | None = None

    def state(self, now: float) -> BreakerState:
        if self._open_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._open_until else BreakerState.HALF_OPEN

    def allows(self, now: float) -> bool:
        if self._open_until is None:
            return True
        return now >= self._open_until and self._probe is None

    def on_start(self, request_id: str) -> None:
        """A request that was allowed starts; unless the breaker is closed, it is the probe."""
        if self._open_until is not None:
            self._probe = request_id

    def on_end(self, request_id: str, outcome: Outcome, settings: Settings, now: float) -> bool:
        """Take in how a request ended. True if the breaker opened by it."""
        is_probe = request_id == self._probe
        if is_probe:
            self._probe = None
        counts = is_probe or self._open_until is None
        if not counts or outcome in (Outcome.CLIENT_LEFT, Outcome.CLIENT_ERROR):
            return False
        if outcome is Outcome.OK:
            self._failures = self._openings = 0
            self._open_until = None
            return False
        self._failures += 1
        if not is_probe and self._failures < settings.breaker_failures:
            return False
        open_ms = settings.breaker_open_ms * 2 ** min(self._openings, DOUBLINGS_MAX)
        self._open_until = now + min(open_ms, settings.breaker_open_ms_max) / 1000
        self._openings += 1
        self._failures = 0
        return True
