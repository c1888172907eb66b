"""The pools, rules and offers of an experiment, made whole. What cannot be run is a ValueError."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.simulation.asking import Asking, RuleShare
from benchmarks.simulation.offers import SimOffer
from benchmarks.simulation.pools import MODEL, PoolChoice, SimPool
from benchmarks.simulation.profile import load_profile
from scheduler.routing.rule import Candidate, Choose, Rule, named

REPLICAS_MAX = 10_000


def settled_pools(
    pools: Sequence[PoolChoice], replicas: int, profile: str
) -> tuple[PoolChoice, ...]:
    """What a pool does not say of itself is ``replicas`` and ``profile``."""
    settled = tuple(
        PoolChoice(
            pool.model,
            replicas if pool.replicas is None else pool.replicas,
            profile if pool.profile is None else pool.profile,
        )
        for pool in pools
    )
    models = [pool.model for pool in settled]
    for number, pool in enumerate(settled):
        if not 1 <= (count := pool.replicas or 0) <= REPLICAS_MAX:
            raise ValueError(f"{pool.model}: replicas must be 1 to {REPLICAS_MAX}, not {count}")
        if pool.model in models[:number]:
            raise ValueError(f"two pools serve {pool.model}: give one, with more replicas")
    return settled


def settled_rules(
    rules: Sequence[RuleShare], pools: Sequence[PoolChoice], offers: Sequence[SimOffer]
) -> tuple[RuleShare, ...]:
    """The rules as they are played. Without any, each request may be answered by any pool's model,
    in their order."""
    if not pools and rules:
        raise ValueError("a rule needs pools with models: say which, as in --pool small,replicas=2")
    if not rules and pools:
        return (RuleShare(rule_of([pool.model for pool in pools])),)
    had = {pool.model for pool in pools} | {offer.model for offer in offers}
    for each in rules:
        if each.rule.choose is Choose.BEST_VALUE:
            raise ValueError(f"rule {each.rule.name}: best_value needs quality, which no run has")
        if missing := [model for model in each.models if model not in had]:
            raise ValueError(f"no pool and no offer has {missing[0]}: known are {sorted(had)}")
    return tuple(rules)


def rule_of(models: Sequence[str], choose: Choose = Choose.IN_ORDER) -> Rule:
    """One model is asked for by its name; several are a rule that is called after them."""
    if len(models) == 1:
        return named(models[0])
    return Rule("+".join(models), frozenset(), tuple(map(Candidate, models)), choose)


def settled_offers(offers: Sequence[SimOffer], pools: Sequence[PoolChoice]) -> tuple[SimOffer, ...]:
    """An offer that does not say what it sells, sells what there is, if that is one model."""
    if not pools:
        return tuple(offers)
    if any(offer.model == MODEL for offer in offers) and len(pools) > 1:
        raise ValueError(
            "with several pools each offer says which model it sells, "
            f"as in --offer out=2.25,model={pools[0].model}"
        )
    return tuple(
        replace(offer, model=pools[0].model) if offer.model == MODEL else offer for offer in offers
    )


def asking_of(pools: Sequence[PoolChoice], rules: Sequence[RuleShare]) -> Asking:
    """What asks by the rules, once they are settled."""
    served = tuple(
        SimPool(pool.model, load_profile(pool.profile or ""), pool.replicas or 0) for pool in pools
    )
    return Asking(served, tuple(rules))


def pool_in_words(pool: PoolChoice) -> str:
    return f"{pool.model}: {pool.replicas} of profile {pool.profile}"


def rule_in_words(each: RuleShare, rules: Sequence[RuleShare]) -> str:
    """Its models, and its part of the requests."""
    rule, part = each.rule, each.share / sum(other.share for other in rules)
    if not rule.name:
        return f"{part:.0%} ask for {each.models[0]} by its name"
    order = "the cheapest first" if rule.choose is Choose.CHEAPEST else "in this order"
    models = ", ".join(
        f"{candidate.model} ({candidate.substitute.value})" if number else candidate.model
        for number, candidate in enumerate(rule.candidates)
    )
    return f"{part:.0%} follow {rule.name}: {models}, {order}"
