"""Requests and tokens of the last minute, against limits of both."""

from __future__ import annotations

from enum import Enum, auto

from scheduler.learned.sliding_sum import SlidingSum

MINUTE_S = 60.0


class PerMinute(Enum):
    REQUESTS = auto()
    TOKENS = auto()


class MinuteCounts:
    __slots__ = ("requests", "tokens")

    def __init__(self) -> None:
        self.requests = SlidingSum(MINUTE_S)
        self.tokens = SlidingSum(MINUTE_S)

    def beyond(
        self, requests_max: int | None, tokens_max: int | None, tokens: int, now: float
    ) -> PerMinute | None:
        """The limit that one more request of so many tokens would pass; None is no limit."""
        if requests_max is not None:
            self.requests.forget(now)
            if self.requests.total + 1 > requests_max:
                return PerMinute.REQUESTS
        if tokens_max is not None:
            self.tokens.forget(now)
            if self.tokens.total + tokens > tokens_max:
                return PerMinute.TOKENS
        return None

    def add(self, tokens: int, now: float) -> None:
        self.tokens.add(tokens, now)
        self.requests.add(1, now)
