"""Policies to compare with, by name: what a gateway does that does not reckon in engine time.

Each answers the scheduler's four questions and nothing else, so all share its placement, its
limits and its fairness; what they differ in is what is kept, what is held and what is bought.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scheduler.choose.bid_price_policy import BidPricePolicy, Policy
from scheduler.pool.pool import Pool
from scheduler.pool.queued_request import QueuedRequest

IN_FLIGHT_PER_REPLICA = 48  # three quarters of the slots of the profile that ships


class FirstCome:
    """First-come with timeout: who cannot be served here in time is bought when it must be."""

    def urgency(self, waiting: QueuedRequest, pool: Pool) -> float:
        return waiting.since

    def admits(self, waiting: QueuedRequest, pool: Pool) -> bool:
        return True

    def buys_at_once(self, waiting: QueuedRequest, pool: Pool) -> bool:
        return False

    def buys_late(self, waiting: QueuedRequest, pool: Pool) -> bool:
        return True


class SpillOnError(FirstCome):
    """Buys only what the pool cannot take at all: the queue is full, or no replica can serve."""

    def buys_late(self, waiting: QueuedRequest, pool: Pool) -> bool:
        return False


class NeverSpill(SpillOnError):
    """A pool without offers: the scheduler is told of none."""

    may_buy = False


class FixedThreshold(FirstCome):
    """Buys at once while so many requests are in flight per replica, whatever each would cost."""

    def __init__(self, in_flight_per_replica: int = IN_FLIGHT_PER_REPLICA) -> None:
        self._in_flight_per_replica = in_flight_per_replica

    def admits(self, waiting: QueuedRequest, pool: Pool) -> bool:
        return pool.in_flight < self._in_flight_per_replica * len(pool.replicas)

    def buys_at_once(self, waiting: QueuedRequest, pool: Pool) -> bool:
        return not self.admits(waiting, pool)


class HighestValueFirst(FirstCome):
    """Orders the queue by what buying would cost per engine second (value per engine-second, as
    the bid price does) and buys late. It has no price and turns nobody away: what the bid price
    spends less than this, its price saves; the rest is the order's."""

    def urgency(self, waiting: QueuedRequest, pool: Pool) -> float:
        return -waiting.value_nano_per_s


class LargestFirst(FirstCome):
    """Serves the smallest first, so that it is the largest that wait, and are bought."""

    def urgency(self, waiting: QueuedRequest, pool: Pool) -> float:
        return waiting.work_s


POLICIES: Mapping[str, Callable[[], Policy]] = {
    "bid-price": BidPricePolicy,
    "first-come": FirstCome,
    "never-spill": NeverSpill,
    "spill-on-error": SpillOnError,
    "fixed-threshold": FixedThreshold,
    "largest-first": LargestFirst,
    "density-first": HighestValueFirst,
}
BEST_THRESHOLD = "best-threshold"  # the best of a grid, by trial: see ``thresholds``
POLICY_NAMES = (*POLICIES, BEST_THRESHOLD)


def policy_name(policy: Policy | None) -> str:
    """Its name in ``POLICIES``; None is the scheduler's own policy."""
    made = BidPricePolicy if policy is None else type(policy)
    return next((name for name, make in POLICIES.items() if make is made), made.__name__)
