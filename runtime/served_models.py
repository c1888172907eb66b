"""What a request may name as its model here, and how much each takes."""

from __future__ import annotations

from runtime.errors import ModelNotFound
from runtime.gateway import Gateway

NAMES_SHOWN_MAX = 12


def names(gateway: Gateway) -> list[str]:
    """What a request may name, each name once: models, then rules."""
    return [*gateway.models(), *gateway.routing.names]


def is_served(gateway: Gateway, model: str) -> bool:
    """Whether there is a pool of this model, or an offer for it."""
    if model in gateway.pools:
        return True
    return any(account.offer.model == model for account in gateway.accounts.values())


def may_stay(gateway: Gateway, model: str) -> bool:
    """Whether replicas here may answer who asks for it: a model, or a rule."""
    return model in gateway.pools or (bool(gateway.pools) and gateway.routing.knows(model))


def model_not_found(gateway: Gateway) -> ModelNotFound:
    known = names(gateway)
    more = len(known) - NAMES_SHOWN_MAX
    served = ", ".join(known[:NAMES_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
    return ModelNotFound(f"There is no such model here. Served: {served}.", param="model")


def context_tokens_max(gateway: Gateway, model: str) -> int:
    """The most tokens that the pool takes; where only offers serve the model, of the one that takes
    the most; of a rule, of the candidate that takes the most."""
    if gateway.routing.knows(model):
        served = set(gateway.routing.models(model)).intersection(gateway.models())
        return max((context_tokens_max(gateway, each) for each in served), default=0)
    pool = gateway.pools.get(model)
    if pool is not None:
        return pool.context_tokens_max
    offers = (account.offer for account in gateway.accounts.values())
    return max(offer.context_tokens_max for offer in offers if offer.model == model)
