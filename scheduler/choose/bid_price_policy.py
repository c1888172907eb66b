"""What is kept, what is held and what is bought: the four questions that a policy answers.

The rest is the same under any policy: who may serve at all, which replica, whose turn it is, and
that a request which cannot be served here in time is bought while an offer can still make it.

``BidPricePolicy`` is the one of this project. Local time goes to the requests that would cost
most elsewhere per engine second that they take. While all fit, the price of that second is 0 and
everything stays. When not all fit, who is worth less than the second costs is held while there
is hope, bought at the latest sensible moment, and bought at once where there was none for a while.
"""

from __future__ import annotations

from typing import Protocol

from scheduler.pool.pool import Pool
from scheduler.pool.queued_request import QueuedRequest

# Worth less than this share of the lowest recent price, a request is not even held.
HOPELESS_SHARE = 0.5


class Policy(Protocol):
    def urgency(self, waiting: QueuedRequest, pool: Pool) -> float:
        """Its place among the requests of its tenant and class: the smallest is served first."""
        ...

    def admits(self, waiting: QueuedRequest, pool: Pool) -> bool:
        """Whether it may take free local room at this moment."""
        ...

    def buys_at_once(self, waiting: QueuedRequest, pool: Pool) -> bool:
        """Whether it is bought on arrival, without waiting for room."""
        ...

    def buys_late(self, waiting: QueuedRequest, pool: Pool) -> bool:
        """Whether it is bought when waiting any longer would leave an offer too little time."""
        ...


class BidPricePolicy:
    def urgency(self, waiting: QueuedRequest, pool: Pool) -> float:
        return -waiting.value_nano_per_s

    def admits(self, waiting: QueuedRequest, pool: Pool) -> bool:
        return waiting.value_nano_per_s >= pool.bid.admission_price

    def buys_at_once(self, waiting: QueuedRequest, pool: Pool) -> bool:
        return waiting.value_nano_per_s < HOPELESS_SHARE * pool.bid.low_water_price

    def buys_late(self, waiting: QueuedRequest, pool: Pool) -> bool:
        return True
