"""What a run came to, in figures that can be compared across policies.

Money first: ``spend_usd`` is what was paid plus what was missed, where a request that was refused,
broken off or answered later than its budget is charged as if it had been bought in time, so that
no policy saves money by missing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from benchmarks.simulation.run_counters import Run
from models.money import NANO_PER_USD


@dataclass(frozen=True, slots=True)
class Outcome:
    """Shares are of all requests unless said otherwise; ``*_ms`` are None where none was seen.

    ``spend_usd`` = ``paid_usd`` + ``missed_usd``: a missed request is charged at the cheapest of
    its offers, one that may not be bought at the dearest. A bought answer costs its tokens there,
    none of them cached: a provider does not hold our prefixes. ``regret`` is how much of what
    could be saved against buying everything was not. Where buying everything is dear it is small
    whatever was spent, so ``spend_over_bound`` stands beside it. Both and ``bound_usd`` are None
    without a bound, and ``spend_over_bound`` with a bound of 0.

    ``local_utilization`` is the work done on tokens, as ``Profile.work_s`` counts it and nothing
    twice, over the capacity up to the horizon. ``busy_share`` is the share of that time in which
    an engine was in a step: it counts the fixed time of a step in full however few requests share
    it, and what a preemption makes it read again. ``goodput`` is met requests per second of the
    horizon. ``held_p99_ms`` is over all decisions, most of them immediate.

    ``decisions_per_s`` is what one core would decide in a second of computing, and
    ``cpu_us_per_decision`` the scheduler's whole computing time per request: reports, progress and
    ticks included.
    """

    spend_usd: float
    bound_usd: float | None
    buy_all_usd: float
    regret: float | None
    spend_over_bound: float | None
    slo_attainment: float | None
    goodput: float
    local_utilization: float
    spilled_share: float | None
    held_p99_ms: float | None
    decisions_per_s: float | None
    cpu_us_per_decision: float | None
    seed: int
    requests: int
    duration_s: float
    load: float | None
    profile: str
    replicas: int
    policy: str
    lengths: str
    paid_usd: float
    missed_usd: float
    missed: int
    refused: int
    broken_off: int
    given_up: int
    retries: int
    preemptions: int
    busy_share: float
    held_p50_ms: float | None
    ttft_local_p50_ms: float | None
    ttft_local_p95_ms: float | None
    ttft_local_p99_ms: float | None
    ttft_bought_p50_ms: float | None
    ttft_bought_p95_ms: float | None
    ttft_bought_p99_ms: float | None
    reasons: dict[str, int]
    pinned_bought: int
    prefix_hit_share: float | None

    def as_json(self) -> dict[str, object]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def outcome_of(run: Run, bound_usd: float | None = None) -> Outcome:
    spend_usd = _usd(run.paid_nano + run.missed_nano)
    buy_all_usd = _usd(run.buy_all_nano)
    capacity_s = run.replicas * run.duration_s
    local, bought, held = run.ttft_local, run.ttft_bought, run.held
    return Outcome(
        spend_usd=spend_usd,
        bound_usd=bound_usd,
        buy_all_usd=buy_all_usd,
        regret=regret(spend_usd, bound_usd, buy_all_usd),
        spend_over_bound=None if bound_usd is None else _share(spend_usd, bound_usd),
        slo_attainment=_share(run.met, run.requests),
        goodput=run.met / run.duration_s,
        local_utilization=run.useful_s / capacity_s,
        spilled_share=_share(run.bought, run.requests),
        held_p99_ms=held.quantile_ms(0.99),
        decisions_per_s=_share(run.decisions * 1e9, run.scheduler_ns),
        cpu_us_per_decision=_share(run.scheduler_ns / 1000, run.requests),
        seed=run.seed,
        requests=run.requests,
        duration_s=run.duration_s,
        load=run.load,
        profile=", ".join(dict.fromkeys(pool.profile.name for pool in run.pools)),
        replicas=run.replicas,
        policy=run.policy,
        lengths=run.lengths,
        paid_usd=_usd(run.paid_nano),
        missed_usd=_usd(run.missed_nano),
        missed=run.missed,
        refused=run.refused,
        broken_off=run.broken_off,
        given_up=run.given_up,
        retries=run.retries,
        preemptions=run.preemptions,
        busy_share=run.busy_s / capacity_s,
        held_p50_ms=held.quantile_ms(0.5),
        ttft_local_p50_ms=local.quantile_ms(0.5),
        ttft_local_p95_ms=local.quantile_ms(0.95),
        ttft_local_p99_ms=local.quantile_ms(0.99),
        ttft_bought_p50_ms=bought.quantile_ms(0.5),
        ttft_bought_p95_ms=bought.quantile_ms(0.95),
        ttft_bought_p99_ms=bought.quantile_ms(0.99),
        reasons=dict(sorted(run.reasons.items())),
        pinned_bought=run.pinned_bought,
        prefix_hit_share=_share(run.hit_tokens, run.prompt_tokens),
    )


def against(outcome: Outcome, bound_usd: float | None) -> Outcome:
    """The same outcome, set against a bound that was found later."""
    return replace(
        outcome,
        bound_usd=bound_usd,
        regret=regret(outcome.spend_usd, bound_usd, outcome.buy_all_usd),
        spend_over_bound=None if bound_usd is None else _share(outcome.spend_usd, bound_usd),
    )


def regret(spend_usd: float, bound_usd: float | None, buy_all_usd: float) -> float | None:
    """The share of what a clairvoyant would have saved that was spent all the same."""
    if bound_usd is None or buy_all_usd <= bound_usd:
        return None
    return (spend_usd - bound_usd) / (buy_all_usd - bound_usd)


def _usd(nano: int) -> float:
    return nano / NANO_PER_USD


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
