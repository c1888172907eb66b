"""What purchases may cost per hour, in all and per tenant.

A purchase counts with the most it can cost while it runs, and with what it did cost from its end
on, so the caps hold whatever the answers turn out to be. Purchases that others made, or this
scheduler's predecessor, count in the same way from when they are told. Every tenant that buys is
counted, so that a budget given to one later knows what came before it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from scheduler.budget import HOUR_S, Elsewhere
from scheduler.decision import Refusal
from scheduler.learned.sliding_sum import SlidingSum
from scheduler.settings import Settings

TENANTS_KEPT_MIN = 64  # idle ones are let go only where there are more than these


@dataclass(frozen=True, slots=True)
class _Purchase:
    tenant: str
    nano: int  # as it is counted
    slot: int
    tenant_slot: int


class Spending:
    def __init__(self) -> None:
        self._all = SlidingSum(HOUR_S)
        self._tenants: dict[str, SlidingSum] = {}  # those that bought
        self._review_at = TENANTS_KEPT_MIN
        self._open: dict[str, _Purchase] = {}
        self._elsewhere: dict[str, _Purchase] = {}  # that are open

    def refuses(
        self, tenant: str, most_nano: int, settings: Settings, now: float
    ) -> Refusal | None:
        cap_nano = settings.spill.usd_per_hour_max
        self._all.forget(now)
        if cap_nano is not None and self._all.total + most_nano > cap_nano:
            return Refusal.SPEND_CAP
        budget = settings.tenant_nano_per_hour.get(tenant)
        if budget is None:
            return None
        spent_nano = 0
        if (spent := self._tenants.get(tenant)) is not None:
            spent.forget(now)
            spent_nano = spent.total
        return Refusal.TENANT_BUDGET if spent_nano + most_nano > budget else None

    def on_buy(self, request_id: str, tenant: str, most_nano: int, now: float) -> None:
        self._open[request_id] = self._count(tenant, most_nano, now)

    def on_finish(self, request_id: str, cost_nano: int | None) -> None:
        """``cost_nano`` is None where it is not known: then the most stays counted."""
        purchase = self._open.pop(request_id, None)
        if purchase is not None and cost_nano is not None:
            self._correct(purchase, cost_nano)

    def on_elsewhere(self, told: Elsewhere) -> None:
        known = self._elsewhere.pop(told.purchase_id, None)
        if known is None:
            known = self._count(told.tenant, told.nano, told.at)
        else:
            self._correct(known, told.nano)
        if told.is_open:
            self._elsewhere[told.purchase_id] = replace(known, nano=told.nano)

    def hour_nano(self, now: float) -> int:
        self._all.forget(now)
        return self._all.total

    def _count(self, tenant: str, nano: int, now: float) -> _Purchase:
        sum_ = self._tenants.get(tenant)
        if sum_ is None:
            self._review(now)
            sum_ = self._tenants[tenant] = SlidingSum(HOUR_S)
        return _Purchase(tenant, nano, self._all.add(nano, now), sum_.add(nano, now))

    def _correct(self, purchase: _Purchase, nano: int) -> None:
        difference = nano - purchase.nano
        self._all.correct(purchase.slot, difference)
        if (sum_ := self._tenants.get(purchase.tenant)) is not None:
            sum_.correct(purchase.tenant_slot, difference)

    def _review(self, now: float) -> None:
        """Lets go of tenants that have bought nothing for an hour, once there are twice as many
        as at the last look."""
        if len(self._tenants) < self._review_at:
            return
        for tenant, spent in list(self._tenants.items()):
            spent.forget(now)
            if not spent.total:
                del self._tenants[tenant]
        self._review_at = max(TENANTS_KEPT_MIN, 2 * len(self._tenants))
