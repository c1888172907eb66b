"""Whose turn it is for a pool's free room."""

from __future__ import annotations

from scheduler.choose.bid_price_policy import Policy
from scheduler.pool.pool import Pool
from scheduler.pool.queued_request import OFF_PEAK_CLASS, QueuedRequest
from scheduler.settings import Settings


def next_in_line(pool: Pool, policy: Policy, settings: Settings) -> QueuedRequest | None:
    """The next of those who wait, of those that may take room at this moment."""
    return pool.queue.head(lambda waiting: may_take_room(waiting, pool, policy, settings))


def may_take_room(waiting: QueuedRequest, pool: Pool, policy: Policy, settings: Settings) -> bool:
    """The off-peak lane takes only what nobody else is expected to want, under any policy."""
    if waiting.priority_class == OFF_PEAK_CLASS:
        return pool.bid.price == 0 and pool.occupancy < settings.spill.valley_occupancy_max
    return policy.admits(waiting, pool)
