"""Caps hold for all gateways of a ledger together, and past a restart: what the others spend, and
what those before this one did, is read from the ledger and told to the scheduler."""

from __future__ import annotations

import asyncio

from runtime.clock import SYSTEM, Clock
from runtime.ledger.ledger import Ledger
from runtime.ledger.purchases import Purchase, Purchases
from scheduler.budget import HOUR_S, Elsewhere
from scheduler.state_machine import Scheduler


class OthersSpending:
    def __init__(self, ledger: Ledger, clock: Clock = SYSTEM) -> None:
        """``clock`` is the one that the scheduler is told the time by."""
        self._purchases = Purchases(ledger.store, ledger.owner)
        self._clock = clock

    async def tell(self, scheduler: Scheduler) -> None:
        """What is new; the first time, of the whole last hour. Raises LedgerUnavailable."""
        now, now_ms = self._clock.monotonic_s(), self._clock.unix_ms()
        news = await asyncio.to_thread(self._purchases.news, now_ms - round(HOUR_S * 1000))
        scheduler.on_spent_elsewhere([_at(each, now, now_ms) for each in news])


def _at(purchase: Purchase, now: float, now_ms: int) -> Elsewhere:
    """On the scheduler's clock. One that the wall clock puts into the future was made by now."""
    return Elsewhere(
        purchase_id=f"{purchase.request_id}/{purchase.attempt}",
        tenant=purchase.tenant,
        nano=purchase.nano_usd,
        at=now - max(0, now_ms - purchase.at_ms) / 1000,
        is_open=purchase.is_open,
    )
