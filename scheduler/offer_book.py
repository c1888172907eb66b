"""What this scheduler has in flight at one offer. The breaker is shared by its provider."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.breaker import Breaker
from scheduler.offer import Offer


@dataclass(frozen=True, slots=True, eq=False)
class OfferBook:
    offer: Offer
    breaker: Breaker
    requests: set[str]  # ids in flight; a reconfigured offer goes on with the same set

    @property
    def target(self) -> str:
        return f"offer:{self.offer.offer_id}"

    def add(self, request_id: str) -> None:
        self.requests.add(request_id)

    def remove(self, request_id: str) -> None:
        self.requests.discard(request_id)
