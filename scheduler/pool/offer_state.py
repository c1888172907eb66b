"""What this scheduler has in flight at one offer, and how fast it answers.

The time to the first token is a running mean plus four times
the mean deviation (as TCP sets its timers, RFC 6298): a purchase must leave that much time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scheduler.arrival import Arrival
from scheduler.decision import Refusal, Verdict, verdicts_on
from scheduler.offer import Offer
from scheduler.pool.circuit_breaker import OfferBreaker
from scheduler.settings import Settings
from scheduler.target import Target

MEAN_WEIGHT, DEVIATION_WEIGHT = 1 / 8, 1 / 4
DEVIATIONS = 4


@dataclass(slots=True, eq=False)
class OfferState:
    offer: Offer
    breaker: OfferBreaker
    requests: dict[str, float | None] = field(default_factory=dict)  # sent at; None once it spoke
    ttft_mean_s: float | None = None
    ttft_deviation_s: float = 0.0

    target: Target = field(init=False)
    verdicts: Mapping[Refusal | None, Verdict] = field(init=False)

    def __post_init__(self) -> None:
        self.target = self.offer.target
        self.verdicts = verdicts_on(self.target)

    def ttft_s(self, settings: Settings) -> float:
        if self.ttft_mean_s is None:
            return settings.spill.offer_ttft_ms_assumed / 1000
        return self.ttft_mean_s + DEVIATIONS * self.ttft_deviation_s

    def cost_nano(self, arrival: Arrival, output_tokens: int) -> int | None:
        price = self.offer.price
        if price is None:
            return None
        cached = 0
        if arrival.caching_offer is not None and arrival.caching_offer == self.offer.offer_id:
            cached = min(arrival.cached_tokens, arrival.prompt_tokens)
        return price.cost_nano(arrival.prompt_tokens, cached, output_tokens)

    def add(self, arrival: Arrival, now: float) -> None:
        self.requests[arrival.request_id] = now

    def progress(self, request_id: str, now: float) -> None:
        sent_at = self.requests[request_id]
        if sent_at is None:
            return
        self.requests[request_id] = None
        ttft_s = now - sent_at
        if self.ttft_mean_s is None:
            self.ttft_mean_s, self.ttft_deviation_s = ttft_s, ttft_s / 2
            return
        off_s = abs(ttft_s - self.ttft_mean_s)
        self.ttft_deviation_s += DEVIATION_WEIGHT * (off_s - self.ttft_deviation_s)
        self.ttft_mean_s += MEAN_WEIGHT * (ttft_s - self.ttft_mean_s)

    def remove(self, request_id: str) -> None:
        self.requests.pop(request_id, None)
