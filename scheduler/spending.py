"""What purchases may cost per hour, in all and per tenant.

A purchase counts with the most it can cost while it runs, and with what it did cost from its end
on, so the caps hold whatever the answers turn out to be. A tenant without a budget of its own has
only the common cap.
"""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.decision import Refusal
from scheduler.settings import Settings
from scheduler.sliding_sum import SlidingSum

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class _Purchase:
    tenant: str
    most_nano: int
    slot: int
    tenant_slot: int | None  # None: without a budget then


class Spending:
    def __init__(self) -> None:
        self._all = SlidingSum(HOUR_S)
        self._tenants: dict[str, SlidingSum] = {}  # only those with a budget
        self._open: dict[str, _Purchase] = {}

    def refuses(
        self, tenant: str, most_nano: int, settings: Settings, now: float
    ) -> Refusal | None:
        cap = settings.spill_nano_per_hour_max
        self._all.forget(now)
        if cap is not None and self._all.total + most_nano > cap:
            return Refusal.SPEND_CAP
        budget = settings.tenant_nano_per_hour.get(tenant)
        if budget is None:
            return None
        spent = self._tenants.setdefault(tenant, SlidingSum(HOUR_S))
        spent.forget(now)
        return Refusal.TENANT_BUDGET if spent.total + most_nano > budget else None

    def on_buy(self, request_id: str, tenant: str, most_nano: int, now: float) -> None:
        slot = self._all.add(most_nano, now)
        known = self._tenants.get(tenant)
        tenant_slot = known.add(most_nano, now) if known else None
        self._open[request_id] = _Purchase(tenant, most_nano, slot, tenant_slot)

    def on_finish(self, request_id: str, cost_nano: int | None) -> None:
        """``cost_nano`` is None where it is not known: then the most stays counted."""
        purchase = self._open.pop(request_id, None)
        if purchase is None or cost_nano is None:
            return
        difference = cost_nano - purchase.most_nano
        self._all.correct(purchase.slot, difference)
        if purchase.tenant_slot is not None:
            self._tenants[purchase.tenant].correct(purchase.tenant_slot, difference)

    def hour_nano(self, now: float) -> int:
        self._all.forget(now)
        return self._all.total
