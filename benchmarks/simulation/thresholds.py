"""Gateways that buy by a threshold, and the best of many of them on one and the same run.

Such a gateway serves first come first served and buys at once while a measure is above its limit,
whatever each request would cost. Nobody knows the right limit beforehand: ``best-threshold`` tries
a grid of measures and limits on the very requests that it is judged on, and keeps the one that
spent least. That makes it a strong baseline: stronger than any gateway that had to choose first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from benchmarks.simulation.baselines import FirstCome
from scheduler.pool.pool import Pool
from scheduler.pool.queued_request import QueuedRequest

Measure: TypeAlias = Literal["queue", "wait", "load"]

_WORDS: dict[Measure, str] = {
    "queue": "the queue is longer than {:g} per replica",
    "wait": "the work that waits takes more than {:g} of the TTFT budget",
    "load": "{:.0%} of the slots or of the KV cache is taken",
}


@dataclass(frozen=True, slots=True)
class Threshold:
    """``queue`` is requests that wait per replica, the new one included; ``wait`` the engine
    seconds of those ahead of it per replica, as a share of its TTFT budget; ``load`` the share of
    the pool's slots or KV cache that is taken, and nothing is sent to a pool above it."""

    measure: Measure
    limit: float

    def __str__(self) -> str:
        return _WORDS[self.measure].format(self.limit)


GRID = (
    *(Threshold("queue", limit) for limit in (0, 1, 4, 16)),
    *(Threshold("wait", limit) for limit in (0.1, 0.25, 0.5)),
    *(Threshold("load", limit) for limit in (0.8, 0.9, 1.0)),
)


class BuyAbove(FirstCome):
    """First-come with timeout that also buys at once while it is above its threshold."""

    def __init__(self, threshold: Threshold) -> None:
        self._threshold = threshold

    def admits(self, waiting: QueuedRequest, pool: Pool) -> bool:
        return self._threshold.measure != "load" or pool.occupancy < self._threshold.limit

    def buys_at_once(self, waiting: QueuedRequest, pool: Pool) -> bool:
        measure, limit = self._threshold.measure, self._threshold.limit
        if measure == "queue":
            return len(pool.queue) > limit * len(pool.replicas)
        if measure == "wait":
            ahead_s = pool.queue.work_s - waiting.work_s
            limit_s = limit * waiting.arrival.ttft_budget_ms / 1000
            return ahead_s > limit_s * len(pool.replicas)
        return not self.admits(waiting, pool)
