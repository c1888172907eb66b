"""An external API's model at its dated price, as the scheduler sees it."""

from __future__ import annotations

from dataclasses import dataclass

from models.prices import Price


@dataclass(frozen=True, slots=True)
class Offer:
    """One model at one provider. ``price`` is None when it is unknown: then never eligible."""

    offer_id: str  # "<provider>/<model name there>"
    provider: str
    model: str  # catalogue id
    context_tokens_max: int
    in_flight_max: int
    price: Price | None
