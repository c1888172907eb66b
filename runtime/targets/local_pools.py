"""What runs here: the pools, as far as a request needs to know them."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class LocalPool(BaseModel):
    """The local replicas of one model, and what an hour of one replica costs.

    A card without a dated price cannot be billed, so such a pool is refused at start.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    replicas: int = Field(ge=1)
    card: str
    cards_per_replica: int = Field(ge=1)
    card_hour_nano_usd: int
    context_tokens_max: int
    tokenizer: Path | None  # tokenizer.json, for exact counts near the context limit
