"""What ``/v1/models`` says of the models that are served here."""

from __future__ import annotations

from typing import Any

from runtime.errors import ModelNotFound
from runtime.gateway import Gateway

NAMES_SHOWN_MAX = 12


def context_tokens_max(gateway: Gateway, model: str) -> int:
    """Of the pool; where only offers serve the model, of the one that takes the most."""
    pool = gateway.pools.get(model)
    if pool is not None:
        return pool.context_tokens_max
    offers = (account.offer for account in gateway.accounts.values())
    return max(offer.context_tokens_max for offer in offers if offer.model == model)


def model_not_found(gateway: Gateway) -> ModelNotFound:
    names = gateway.models()
    more = len(names) - NAMES_SHOWN_MAX
    served = ", ".join(names[:NAMES_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
    return ModelNotFound(f"There is no such model here. Served: {served}.", param="model")


def entry(gateway: Gateway, model: str, created_s: int) -> dict[str, Any]:
    return {
        "id": model,
        "object": "model",
        "created": created_s,
        "owned_by": "baseload",
        "max_model_len": context_tokens_max(gateway, model),
    }
