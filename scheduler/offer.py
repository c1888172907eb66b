"""An external API's model at its dated price, as the scheduler sees it."""

from __future__ import annotations

from dataclasses import dataclass

from models.prices import Price


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
