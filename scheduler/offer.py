"""An external API's model at its dated price, as the scheduler sees it."""

from __future__ import annotations

from dataclasses import dataclass

from models.price_book import Price
from scheduler.arrival import Arrival
from scheduler.target import Target, TargetKind


@dataclass(frozen=True, slots=True)
class Offer:
    """One model at one provider. ``price`` is None when it is unknown: then never eligible.

    The limits per minute are the provider's, None where it has none; those of one provider's
    offers are separate, as vendors count them per model.
    """

    offer_id: str  # "<provider>/<model name there>"
    provider: str
    model: str  # catalogue id
    context_tokens_max: int
    in_flight_max: int
    price: Price | None
    requests_per_min_max: int | None = None
    tokens_per_min_max: int | None = None  # prompt and answer
    output_tokens_max: int | None = None  # of one answer, if its caller names no limit

    @property
    def target(self) -> Target:
        return Target(TargetKind.OFFER, self.offer_id)

    def answer_tokens_most(self, arrival: Arrival) -> int:
        """The most that all answers to a request can have here."""
        worst = arrival.worst
        if worst is None:
            return arrival.max_output_tokens
        if worst.answer_tokens is not None:
            return worst.answers * worst.answer_tokens
        return worst.answers * (self.output_tokens_max or self.context_tokens_max)

    def most_nano(self, arrival: Arrival) -> int | None:
        """The most that a request can cost here, in nano-USD; None where the price is unknown."""
        if self.price is None:
            return None
        worst = arrival.worst
        prompt_tokens = arrival.prompt_tokens if worst is None else worst.prompt_tokens
        return self.price.most_nano(prompt_tokens, self.answer_tokens_most(arrival))
