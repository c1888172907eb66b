"""Quantiles of any number of durations in a fixed space: counts in buckets of equal ratio."""

from __future__ import annotations

from array import array
from itertools import accumulate
from math import ceil, log

RATIO = 1.01  # a quantile is off by at most half of this step
SMALLEST_MS, LARGEST_MS = 0.1, 1e9
_LOG_RATIO = log(RATIO)
_BUCKETS = ceil(log(LARGEST_MS / SMALLEST_MS) / _LOG_RATIO) + 1


class Histogram:
    """Durations below ``SMALLEST_MS`` count as 0, those above ``LARGEST_MS`` as that."""

    __slots__ = ("_counts", "count")

    def __init__(self) -> None:
        self.count = 0
        self._counts = array("Q", bytes(8 * (_BUCKETS + 1)))

    def add(self, value_ms: float) -> None:
        self.count += 1
        bucket = 0
        if value_ms >= SMALLEST_MS:
            bucket = 1 + min(_BUCKETS - 1, int(log(value_ms / SMALLEST_MS) / _LOG_RATIO))
        self._counts[bucket] += 1

    def quantile_ms(self, q: float) -> float | None:
        """The value that a share ``q`` does not exceed; None of nothing."""
        if not self.count:
            return None
        rank = max(1, ceil(q * self.count))
        bucket = next(at for at, seen in enumerate(accumulate(self._counts)) if seen >= rank)
        return 0.0 if bucket == 0 else min(LARGEST_MS, SMALLEST_MS * RATIO ** (bucket - 0.5))
