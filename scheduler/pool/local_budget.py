"""The budget of a scheduler that shares none: what the others spend, it is told afterwards."""

from __future__ import annotations

from scheduler.arrival import Arrival
from scheduler.budget import Elsewhere
from scheduler.decision import Refusal
from scheduler.offer import Offer
from scheduler.pool.offer_rates import Rates
from scheduler.pool.spending_caps import Spending
from scheduler.settings import Settings


class LocalBudget:
    def __init__(self) -> None:
        self.spending = Spending()
        self._rates = Rates()

    def refuses(
        self, arrival: Arrival, offer: Offer, most_nano: int, settings: Settings, now: float
    ) -> Refusal | None:
        is_limited = offer.requests_per_min_max is not None or offer.tokens_per_min_max is not None
        if is_limited and (refusal := self._rates.refuses(arrival, offer, now)):
            return refusal
        return self.spending.refuses(arrival.tenant, most_nano, settings, now)

    def reserve(self, arrival: Arrival, offer: Offer, most_nano: int, now: float) -> None:
        self.spending.on_buy(arrival.request_id, arrival.tenant, most_nano, now)
        self._rates.add(arrival, offer.offer_id, now)

    def settle(self, request_id: str, cost_nano: int | None) -> None:
        self.spending.on_finish(request_id, cost_nano)

    def on_elsewhere(self, purchase: Elsewhere) -> None:
        self.spending.on_elsewhere(purchase)

    def spent_nano(self, now: float) -> int:
        return self.spending.hour_nano(now)

    def counts(self, offer_id: str, now: float) -> bool:
        return self._rates.counts(offer_id, now)
