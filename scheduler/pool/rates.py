"""What was sent to each offer within a minute, against its provider's limits."""

from __future__ import annotations

from scheduler.arrival import Arrival
from scheduler.budget import MINUTE_S
from scheduler.decision import Refusal
from scheduler.learned.sliding_sum import SlidingSum
from scheduler.offer import Offer


class _Sent:
    __slots__ = ("requests", "tokens")

    def __init__(self) -> None:
        self.requests = SlidingSum(MINUTE_S)
        self.tokens = SlidingSum(MINUTE_S)


class Rates:
    """Offers without limits are counted, too: they may get some while the minute runs."""

    def __init__(self) -> None:
        self._sent: dict[str, _Sent] = {}

    def refuses(self, arrival: Arrival, offer: Offer, now: float) -> Refusal | None:
        requests_max, tokens_max = offer.requests_per_min_max, offer.tokens_per_min_max
        sent = self._sent.get(offer.offer_id)
        if sent is None:
            sent = _Sent()
        if requests_max is not None:
            sent.requests.forget(now)
            if sent.requests.total + 1 > requests_max:
                return Refusal.RATE_REQUESTS
        if tokens_max is not None:
            sent.tokens.forget(now)
            if sent.tokens.total + arrival.kv_tokens_max > tokens_max:
                return Refusal.RATE_TOKENS
        return None

    def add(self, arrival: Arrival, offer_id: str, now: float) -> None:
        """Counts the most tokens that it may take, so that no limit is ever passed."""
        sent = self._sent.get(offer_id)
        if sent is None:
            sent = self._sent[offer_id] = _Sent()
        sent.tokens.add(arrival.kv_tokens_max, now)
        sent.requests.add(1, now)

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
