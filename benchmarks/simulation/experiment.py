"""One experiment: every choice of a simulated run, and the workload that comes of them.

Whoever simulates (the command, a sweep, a test) starts here, so that the same choices give the
same figures everywhere. Choices that make no run are refused as ``BadExperiment``, with what to
do instead.

A run that is short measures how an empty pool fills and drains more than what the policy does. A
trace is therefore played as many times over as makes it last ``HORIZON_S_MIN``, and so many TTFT
budgets, each lap with draws of its own. Synthetic arrivals are not repeated: more can be had by
asking for more.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from math import ceil
from pathlib import Path
from typing import cast, get_args

from benchmarks.simulation.arrivals import DAY_S, ArrivalKind, repeated, synthetic_rows
from benchmarks.simulation.asking import Asking, RuleShare
from benchmarks.simulation.baselines import POLICY_NAMES
from benchmarks.simulation.forecast import Lengths
from benchmarks.simulation.offers import DEFAULT_OFFERS, SimOffer
from benchmarks.simulation.pool_choices import (
    REPLICAS_MAX,
    asking_of,
    settled_offers,
    settled_pools,
    settled_rules,
)
from benchmarks.simulation.pools import MODEL, PoolChoice, SimPool
from benchmarks.simulation.profile import load_profile
from benchmarks.simulation.scaling import Scaling
from benchmarks.simulation.traces import FORMAT_OF_EXTENSION, TraceFormat, TraceRow, read_trace
from benchmarks.simulation.workload import Alternatives, Prefixes, Workload, make_pools_workload
from models.money import PICO_PER_TOKEN_PER_USD_PER_MTOK
from scheduler.settings import Settings

HORIZON_S_MIN = 500.0
HORIZON_BUDGETS_MIN = 200  # TTFT budgets: who may wait longer takes longer to show what it does
LAPS_MAX = 16
LOAD_MAX = 100.0
RATE_PER_S = 10.0


class BadExperiment(ValueError):
    """Choices that make no run; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """None stands for what ``prepare`` settles by the rest: see each field."""

    trace: Path | None = None  # None: synthetic arrivals
    trace_format: TraceFormat | None = None  # None: as the file's extension says
    arrivals: ArrivalKind | None = None  # None: poisson, unless there is a trace
    requests: int = 25_000  # synthetic ones
    rate_per_s: float | None = None  # before scaling; None: RATE_PER_S, or all within one day
    profile: str = "h200"  # a name or a path
    replicas: int = 8
    pools: tuple[PoolChoice, ...] = ()  # none: one of that profile, with so many replicas
    rules: tuple[RuleShare, ...] = ()  # none: any model that has a pool may answer, in their order
    load: float = 1.5
    ttft_ms: int = 2_000
    policy: str = "bid-price"
    lengths: Lengths = "learned"
    seed: int = 1
    offers: tuple[SimOffer, ...] = DEFAULT_OFFERS
    alternatives: Alternatives | None = None  # None: any; of the default offers, drawn
    pinned_share: float = 0.0
    batch_share: float = 0.0
    tenants: int = 1
    warm_share: float = 1 / 3
    prefixes: Prefixes = "synthetic"
    scaling: Scaling | None = None  # None: fold for a trace, compress for synthetic arrivals
    laps: int | None = None  # None: as the module says
    settings: Settings = field(default_factory=Settings)  # of the scheduler

    def __post_init__(self) -> None:
        if self.trace is not None and self.arrivals is not None:
            raise BadExperiment("a run has a trace or synthetic arrivals, not both: leave out one")
        if self.policy not in POLICY_NAMES:
            raise BadExperiment(
                f"unknown policy {self.policy!r}; known policies: {', '.join(POLICY_NAMES)}"
            )
        if self.lengths not in get_args(Lengths):
            raise BadExperiment(f"unknown lengths {self.lengths!r}: use learned or told")
        if not 0 < self.load <= LOAD_MAX:
            raise BadExperiment(
                f"load must be above 0 and at most {LOAD_MAX:g}, not {self.load:g}: "
                "1 is a pool that is always full and never behind"
            )
        if not 1 <= self.replicas <= REPLICAS_MAX:
            raise BadExperiment(f"replicas must be 1 to {REPLICAS_MAX}, not {self.replicas}")
        if self.laps is not None and not 1 <= self.laps <= LAPS_MAX:
            raise BadExperiment(f"laps must be 1 to {LAPS_MAX}, not {self.laps}")

    def as_json(self) -> dict[str, object]:
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        if self.settings == Settings():
            del values["settings"]
        else:
            values["settings"] = self.settings.model_dump(mode="json", exclude_defaults=True)
        if self.trace is not None:
            values |= {"trace": str(self.trace), "requests": None}
        values["offers"] = [_offer_as_json(offer) for offer in self.offers]
        del values["pools"], values["rules"]
        if self.pools:
            values["pools"] = [asdict(pool) for pool in self.pools]
            values["rules"] = [_rule_as_json(each) for each in self.rules]
        return values


@dataclass(frozen=True, slots=True)
class Prepared:
    """An experiment with nothing left open, and all that a run of it needs."""

    experiment: Experiment
    pools: tuple[SimPool, ...]
    workload: Workload


def prepare(experiment: Experiment) -> Prepared:
    """Reads, draws and scales the requests; raises BadExperiment."""
    try:
        experiment = _settled(_with_pools(experiment))
        return _with_laps(experiment, _asking(experiment), _rows(experiment))
    except BadExperiment:
        raise
    except ValueError as error:
        raise BadExperiment(str(error)) from error


def _with_pools(experiment: Experiment) -> Experiment:
    pools = settled_pools(experiment.pools, experiment.replicas, experiment.profile)
    offers = settled_offers(experiment.offers, pools)
    rules = settled_rules(experiment.rules, pools, offers)
    return replace(experiment, pools=pools, offers=offers, rules=rules)


def _asking(experiment: Experiment) -> Asking:
    if experiment.pools:
        return asking_of(experiment.pools, experiment.rules)
    return Asking.one_pool(load_profile(experiment.profile), experiment.replicas)


def _settled(experiment: Experiment) -> Experiment:
    if experiment.alternatives is None:
        usual: Alternatives = "drawn" if experiment.offers == DEFAULT_OFFERS else "any"
        experiment = replace(experiment, alternatives=usual)
    if experiment.trace is None:
        if experiment.trace_format is not None:
            raise BadExperiment("a format needs the trace that it is the format of")
        arrivals = experiment.arrivals or "poisson"
        per_s = experiment.requests / DAY_S if arrivals == "diurnal" else RATE_PER_S
        return replace(
            experiment,
            arrivals=arrivals,
            rate_per_s=per_s if experiment.rate_per_s is None else experiment.rate_per_s,
            scaling=experiment.scaling or "compress",
            laps=experiment.laps or 1,
        )
    trace_format = experiment.trace_format or FORMAT_OF_EXTENSION.get(experiment.trace.suffix)
    if trace_format is None:
        raise BadExperiment(
            f"{experiment.trace}: its name does not tell its format: say azure or mooncake"
        )
    return replace(experiment, trace_format=trace_format, scaling=experiment.scaling or "fold")


def _rows(experiment: Experiment) -> list[TraceRow]:
    if experiment.trace is not None:
        return read_trace(experiment.trace, cast(TraceFormat, experiment.trace_format))
    return synthetic_rows(
        cast(ArrivalKind, experiment.arrivals),
        experiment.requests,
        cast(float, experiment.rate_per_s),
        experiment.seed,
    )


def _with_laps(experiment: Experiment, asking: Asking, rows: list[TraceRow]) -> Prepared:
    workload = _workload(experiment, asking, rows, experiment.laps or 1)
    if experiment.laps is not None:
        return Prepared(experiment, asking.pools, workload)
    least_s = max(HORIZON_S_MIN, HORIZON_BUDGETS_MIN * experiment.ttft_ms / 1000)
    laps = min(LAPS_MAX, ceil(least_s / workload.duration_s))
    if laps > 1:
        workload = _workload(experiment, asking, rows, laps)
    if workload.duration_s < least_s and laps < LAPS_MAX:
        laps += 1  # later laps find prefixes warm, so that each lasts less than the first
        workload = _workload(experiment, asking, rows, laps)
    return Prepared(replace(experiment, laps=laps), asking.pools, workload)


def _workload(experiment: Experiment, asking: Asking, rows: list[TraceRow], laps: int) -> Workload:
    return make_pools_workload(
        repeated(rows, laps) if laps > 1 else rows,
        asking,
        load=experiment.load,
        ttft_ms=experiment.ttft_ms,
        offers=experiment.offers,
        alternatives=cast(Alternatives, experiment.alternatives),
        seed=experiment.seed,
        scaling=cast(Scaling, experiment.scaling),
        prefixes=experiment.prefixes,
        warm_share=experiment.warm_share,
        pinned_share=experiment.pinned_share,
        batch_share=experiment.batch_share,
        tenants=experiment.tenants,
    )


def _offer_as_json(offer: SimOffer) -> dict[str, object]:
    price = offer.price
    picos = {
        "input": price.input_pico,
        "cached_input": price.input_pico
        if price.cached_input_pico is None
        else price.cached_input_pico,
        "output": price.output_pico,
    }
    return {
        "id": offer.offer_id,
        **{
            f"{name}_usd_per_mtok": pico / PICO_PER_TOKEN_PER_USD_PER_MTOK
            for name, pico in picos.items()
        },
        "ttft_ms": offer.ttft_ms,
        "output_tok_s": offer.output_tok_s,
        **({} if offer.model == MODEL else {"model": offer.model}),
    }


def _rule_as_json(each: RuleShare) -> dict[str, object]:
    rule = each.rule
    candidates = [
        {"model": candidate.model, "substitute": candidate.substitute}
        for candidate in rule.candidates
    ]
    return {
        "name": rule.name,
        "choose": rule.choose,
        "candidates": candidates,
        "share": each.share,
    }
