"""Who asks for which models: the rules of a run's requests, and the pools that serve them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.simulation.offers import SimOffer
from benchmarks.simulation.pools import MODEL, SimPool
from benchmarks.simulation.profile import Profile
from benchmarks.simulation.traces import TraceRow
from scheduler.routing.rule import Rule, named

ONLY = named(MODEL)  # the rule of all requests of a run with one pool


@dataclass(frozen=True, slots=True)
class RuleShare:
    """``share`` is of the requests, against the sum of all shares."""

    rule: Rule
    share: float = 1.0

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(candidate.model for candidate in self.rule.candidates)


@dataclass(frozen=True, slots=True)
class Asking:
    pools: tuple[SimPool, ...]
    rules: tuple[RuleShare, ...] = (RuleShare(ONLY),)

    @classmethod
    def one_pool(cls, profile: Profile, replicas: int) -> Asking:
        return cls((SimPool(MODEL, profile, replicas),))

    @property
    def replicas(self) -> int:
        return sum(pool.replicas for pool in self.pools)

    @property
    def context_tokens_max(self) -> int:
        """What every pool can hold."""
        return min(pool.profile.context_tokens_max for pool in self.pools)

    def drawn(self, count: int, seed: int) -> list[Rule]:
        """One rule for each of so many requests."""
        if len(self.rules) == 1:
            return [self.rules[0].rule] * count
        weights = [each.share for each in self.rules]
        rules = [each.rule for each in self.rules]
        return Random(f"{seed}:rules").choices(rules, weights, k=count)

    def profile_of(self, rule: Rule) -> Profile | None:
        """The engines of the first of its models that has any."""
        profiles = {pool.model: pool.profile for pool in self.pools}
        models = (candidate.model for candidate in rule.candidates)
        return next((profiles[model] for model in models if model in profiles), None)

    def check_fit(self, rows: Sequence[TraceRow]) -> None:
        if not rows:
            raise ValueError("a workload needs at least two requests at different times")
        shortest = min((pool.profile for pool in self.pools), key=lambda p: p.context_tokens_max)
        for number, row in enumerate(rows, 1):
            tokens = row.prompt_tokens + row.output_tokens
            if tokens > shortest.context_tokens_max:
                raise ValueError(
                    f"request {number} needs {tokens} tokens, profile {shortest.name!r} holds "
                    f"{shortest.context_tokens_max}: take a profile with a longer context, or cut "
                    "the trace"
                )


def offers_of(rule: Rule, offers: Sequence[SimOffer]) -> tuple[str, ...]:
    """The offers that sell any of its models."""
    models = {candidate.model for candidate in rule.candidates}
    return tuple(offer.offer_id for offer in offers if offer.model in models)
