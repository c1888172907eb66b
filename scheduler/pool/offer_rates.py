"""What was sent to each offer within a minute, against its provider's limits."""

from __future__ import annotations

from scheduler.arrival import Arrival
from scheduler.decision import Refusal
from scheduler.learned.minute_counts import MinuteCounts, PerMinute
from scheduler.offer import Offer

_REFUSALS = {
    PerMinute.REQUESTS: Refusal.RATE_REQUESTS,
    PerMinute.TOKENS: Refusal.RATE_TOKENS,
}


class Rates:
    """Offers without limits are counted, too: they may get some while the minute runs."""

    def __init__(self) -> None:
        self._sent: dict[str, MinuteCounts] = {}

    def refuses(self, arrival: Arrival, offer: Offer, now: float) -> Refusal | None:
        sent = self._sent.get(offer.offer_id) or MinuteCounts()
        beyond = sent.beyond(
            offer.requests_per_min_max, offer.tokens_per_min_max, arrival.kv_tokens_max, now
        )
        return _REFUSALS[beyond] if beyond is not None else None

    def add(self, arrival: Arrival, offer_id: str, now: float) -> None:
        """Counts the most tokens that it may take, so that no limit is ever passed."""
        sent = self._sent.get(offer_id)
        if sent is None:
            sent = self._sent[offer_id] = MinuteCounts()
        sent.add(arrival.kv_tokens_max, now)

    def counts(self, offer_id: str, now: float) -> bool:
        """False lets go of what was counted."""
        sent = self._sent.get(offer_id)
        if sent is None:
            return False
        sent.requests.forget(now)
        if sent.requests.total:
            return True
        del self._sent[offer_id]
        return False
