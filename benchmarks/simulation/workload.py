"""A workload: what arrives at a pool over a run, and what may be bought instead.

Made from trace rows by seed. Each choice draws from a random stream of its own, so that changing
one option leaves the others as they were, and draws before scaling, so that the same request has
the same offer, tenant and prefix at every load. A request that the profile's context cannot hold
is refused: leaving it out would measure another trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from random import Random
from typing import Literal, TypeAlias, TypedDict, Unpack

from benchmarks.simulation.asking import ONLY, Asking, offers_of
from benchmarks.simulation.offers import DEFAULT_OFFERS, SimOffer
from benchmarks.simulation.pools import SimPool
from benchmarks.simulation.prefixes import (
    BLOCK_TOKENS,
    PREFIX_GROUPS,
    fitting_block_tokens,
    synthetic_blocks,
    warm_tokens,
)
from benchmarks.simulation.profile import Profile
from benchmarks.simulation.scaling import Scaling, schedule
from benchmarks.simulation.traces import MOONCAKE_BLOCK_TOKENS, TraceRow
from scheduler.routing.rule import Rule

__all__ = ["BLOCK_TOKENS", "DEFAULT_OFFERS", "Request", "SimOffer", "Workload", "make_workload"]

Prefixes: TypeAlias = Literal["synthetic", "trace"]
Alternatives: TypeAlias = Literal["any", "drawn"]

BATCH_DEADLINE_S = 4 * 3600.0
TENANTS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a workload. Lengths are the true ones."""

    request_id: str
    at_s: float
    prompt_tokens: int  # the whole prompt, warm prefix included
    output_tokens: int
    max_output_tokens: int  # what the caller allows: the scheduler sees this
    ttft_budget_ms: int
    blocks: tuple[int, ...]  # hashes of the leading blocks that others may share, in order
    offer_ids: tuple[str, ...]  # that it may be bought from; none: pinned, never bought
    tenant: str = "default"
    task: str = ""
    deadline_s: float | None = None  # off-peak lane: completion, from the start of the run
    rule: Rule = ONLY

    @property
    def models(self) -> tuple[str, ...]:
        """That may answer, in the rule's order. Each answers with as many tokens."""
        return tuple(candidate.model for candidate in self.rule.candidates)


@dataclass(frozen=True, slots=True)
class Workload:
    """All requests of a run by time, and the offers they may be bought from."""

    requests: tuple[Request, ...]
    offers: tuple[SimOffer, ...]
    seed: int
    duration_s: float  # the arrival horizon
    block_tokens: int = BLOCK_TOKENS
    scale: float = 1.0  # how many times over the trace runs

    def warm_tokens(self) -> tuple[int, ...]:
        """The prompt tokens of each request that a cache can hold at best, by arrival."""
        return warm_tokens(self.requests, self.block_tokens)

    def work_s(self, profile: Profile) -> float:
        """The engine seconds of all requests, each as warm as it can be."""
        return sum(self._work_s(lambda _: profile))

    def load(self, profile: Profile, replicas: int) -> float:
        """Offered work over the horizon against what the replicas can do in it."""
        return self.work_s(profile) / (self.duration_s * replicas)

    def load_of(self, pools: Sequence[SimPool]) -> float:
        """The load as ``load`` has it, each request at the first of its models that has a pool; one
        without any asks for no work."""
        asking = Asking(tuple(pools))
        work_s = self._work_s(lambda request: asking.profile_of(request.rule))
        return sum(work_s) / (self.duration_s * asking.replicas)

    def _work_s(self, profile_of: Callable[[Request], Profile | None]) -> Iterator[float]:
        for request, warm in zip(self.requests, self.warm_tokens(), strict=True):
            if (profile := profile_of(request)) is not None:
                new = request.prompt_tokens - warm
                yield profile.work_s(new, request.prompt_tokens, request.output_tokens)


@dataclass(frozen=True, slots=True)
class _Mix:
    """The shares and choices that a workload adds to its rows."""

    ttft_ms: int
    offers: tuple[SimOffer, ...]
    alternatives: Alternatives
    seed: int
    pinned_share: float
    batch_share: float
    batch_deadline_s: float
    tenants: int


class Choices(TypedDict, total=False):
    """What ``make_pools_workload`` is given for its choices."""

    offers: Sequence[SimOffer]
    alternatives: Alternatives
    seed: int
    scaling: Scaling
    prefixes: Prefixes
    prefix_groups: int
    warm_share: float
    pinned_share: float
    batch_share: float
    batch_deadline_s: float
    tenants: int


def make_workload(
    rows: Sequence[TraceRow],
    profile: Profile,
    *,
    replicas: int,
    load: float,
    ttft_ms: int,
    **choices: Unpack[Choices],
) -> Workload:
    """A run with one pool."""
    if replicas < 1:
        raise ValueError(f"replicas must be at least 1, not {replicas}")
    asking = Asking.one_pool(profile, replicas)
    return make_pools_workload(rows, asking, load=load, ttft_ms=ttft_ms, **choices)


def make_pools_workload(
    rows: Sequence[TraceRow],
    asking: Asking,
    *,
    load: float,
    ttft_ms: int,
    offers: Sequence[SimOffer] = DEFAULT_OFFERS,
    alternatives: Alternatives = "drawn",
    seed: int = 1,
    scaling: Scaling = "fold",
    prefixes: Prefixes = "synthetic",
    prefix_groups: int = PREFIX_GROUPS,
    warm_share: float = 1 / 3,
    pinned_share: float = 0.0,
    batch_share: float = 0.0,
    batch_deadline_s: float = BATCH_DEADLINE_S,
    tenants: int = 1,
) -> Workload:
    """A run of ``rows`` whose mean offered work is ``load`` times what all replicas can do.

    Work is ``Profile.work_s`` with warm prompt tokens taken off, at the first of a request's models
    that has a pool, so that load 1 is a pool that is always full and never behind. Such a cache
    prefills each block once in whatever order, so the work does not depend on how the arrivals are
    moved to reach the load (see ``scaling``).

    ``alternatives`` says what each request may be bought from: ``any`` of the offers, as behind a
    real gateway, or one of them that is ``drawn`` for it, evenly.
    """
    shares = pinned_share, batch_share, batch_deadline_s
    mix = _Mix(ttft_ms, tuple(offers), alternatives, seed, *shares, tenants)
    _check(mix, load, warm_share, prefix_groups)
    asking.check_fit(rows)
    rules = asking.drawn(len(rows), seed)
    blocks, block_tokens = _blocks(rows, prefixes, warm_share, prefix_groups, seed)
    prompts = [
        TraceRow(row.at_s, row.prompt_tokens, row.output_tokens, shared)
        for row, shared in zip(rows, blocks, strict=True)
    ]
    work_s = [
        0.0
        if (profile := asking.profile_of(rule)) is None
        else profile.work_s(row.prompt_tokens - warm, row.prompt_tokens, row.output_tokens)
        for row, rule, warm in zip(prompts, rules, warm_tokens(prompts, block_tokens), strict=True)
    ]
    if not any(work_s):
        raise ValueError("no request may be answered by a pool: without any work there is no load")
    plan = schedule([row.at_s for row in rows], work_s, load * asking.replicas, scaling, seed)
    requests = _requests(prompts, rules, asking.context_tokens_max, mix, plan.arrivals)
    return Workload(requests, mix.offers, seed, plan.duration_s, block_tokens, plan.scale)


def _requests(
    rows: Sequence[TraceRow],
    rules: Sequence[Rule],
    context_tokens_max: int,
    mix: _Mix,
    arrivals: Sequence[tuple[int, float]],
) -> tuple[Request, ...]:
    """The rows that arrive, with what was drawn for each; draws cover all rows, in trace order."""
    count = len(rows)
    offer_ids = _alternatives(mix, rules)
    pinned = _flags(mix.pinned_share, count, f"{mix.seed}:pinned")
    batch = _flags(mix.batch_share, count, f"{mix.seed}:batch")
    names = ["default"] if mix.tenants == 1 else [f"tenant-{n}" for n in range(1, mix.tenants + 1)]
    zipf = [1 / rank for rank in range(1, mix.tenants + 1)]
    tenants = _drawn(names, zipf, count, f"{mix.seed}:tenants")
    # One limit for all, a power of two as callers set it: it must not give a length away.
    output_max = 1 << (max(row.output_tokens for row in rows) - 1).bit_length()
    budget_ms = {False: mix.ttft_ms, True: max(mix.ttft_ms, int(mix.batch_deadline_s * 1000))}
    return tuple(
        Request(
            request_id=f"r{index}",
            at_s=at_s,
            prompt_tokens=rows[index].prompt_tokens,
            output_tokens=rows[index].output_tokens,
            max_output_tokens=min(output_max, context_tokens_max - rows[index].prompt_tokens),
            ttft_budget_ms=budget_ms[batch[index]],
            blocks=rows[index].blocks,
            offer_ids=() if pinned[index] else offer_ids[index],
            tenant=tenants[index],
            deadline_s=at_s + mix.batch_deadline_s if batch[index] else None,
            rule=rules[index],
        )
        for index, at_s in arrivals
    )


def _alternatives(mix: _Mix, rules: Sequence[Rule]) -> list[tuple[str, ...]]:
    """Of the offers that sell one of its models."""
    by_rule = {rule: offers_of(rule, mix.offers) for rule in dict.fromkeys(rules)}
    if mix.alternatives == "any":
        return [by_rule[rule] for rule in rules]
    if mix.alternatives != "drawn":
        raise ValueError(f"unknown alternatives {mix.alternatives!r}: use any or drawn")
    random = Random(f"{mix.seed}:offers")
    return [tuple(random.choices(by_rule[rule])) if by_rule[rule] else () for rule in rules]


def _blocks(
    rows: Sequence[TraceRow], prefixes: Prefixes, warm_share: float, groups: int, seed: int
) -> tuple[list[tuple[int, ...]], int]:
    if prefixes == "synthetic":
        block_tokens = fitting_block_tokens(rows)
        return synthetic_blocks(rows, warm_share, groups, seed, block_tokens), block_tokens
    if prefixes != "trace":
        raise ValueError(f"unknown prefixes {prefixes!r}: use synthetic or trace")
    if not any(row.blocks for row in rows):
        raise ValueError("the trace holds no prefix blocks: use synthetic prefixes")
    return [row.blocks for row in rows], MOONCAKE_BLOCK_TOKENS


def _flags(share: float, count: int, stream: str) -> list[bool]:
    random = Random(stream)
    return [random.random() < share for _ in range(count)]


def _drawn(names: list[str], weights: list[float] | None, count: int, stream: str) -> list[str]:
    return Random(stream).choices(names, weights, k=count)


def _check(mix: _Mix, load: float, warm_share: float, prefix_groups: int) -> None:
    if prefix_groups < 1 or mix.ttft_ms < 1:
        raise ValueError("prefix groups and the TTFT budget must be at least 1")
    if not 1 <= mix.tenants <= TENANTS_MAX:
        raise ValueError(f"there must be 1 to {TENANTS_MAX} tenants, not {mix.tenants}")
    for name, value in (("load", load), ("batch_deadline_s", mix.batch_deadline_s)):
        if not (isfinite(value) and value > 0):
            raise ValueError(f"{name} must be above 0, not {value}")
    shares = {"warm": warm_share, "pinned": mix.pinned_share, "batch": mix.batch_share}
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"the {name} share must be between 0 and 1, not {share}")
    ids = [offer.offer_id for offer in mix.offers]
    if not ids or len(ids) != len(set(ids)):
        raise ValueError(f"a workload needs offers with different names, got {ids}")
