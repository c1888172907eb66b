"""The options of `baseload simulate`, with their help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.simulation.arrivals import ArrivalKind
from benchmarks.simulation.baselines import BEST_THRESHOLD, POLICY_NAMES
from benchmarks.simulation.experiment import HORIZON_S_MIN, LAPS_MAX, RATE_PER_S, Experiment
from benchmarks.simulation.forecast import Lengths
from benchmarks.simulation.offer_text import BOOK_EXAMPLE
from benchmarks.simulation.offers import DEFAULT_OFFERS, EXAMPLE
from benchmarks.simulation.pool_text import POOL_EXAMPLE, RULE_EXAMPLE
from benchmarks.simulation.profile import known_profiles
from benchmarks.simulation.scaling import Scaling
from benchmarks.simulation.thresholds import GRID
from benchmarks.simulation.traces import TraceFormat
from benchmarks.simulation.workload import Alternatives, Prefixes
from cluster.cli import common_options
from cluster.cli.typer_options import option, panel

PLAIN = Experiment()
AUTO, ALL = "auto", "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOptions:
    trace: Path | None = option("A trace file to play.", None)
    trace_format: TraceFormat | None = option(
        "Of the trace. Default: as its name ends: .csv, .jsonl.", None, "--format"
    )
    arrivals: ArrivalKind | None = option(
        "Synthetic arrivals instead of a trace. Default: poisson.", None
    )
    requests: int | None = option(f"How many synthetic arrivals. Default: {PLAIN.requests}.", None)
    rate_per_s: float | None = option(
        "Synthetic arrivals per second, before they are scaled to the load; decides how "
        f"much of a day they span. Default: {RATE_PER_S:g}; diurnal: all within one day.",
        None,
        "--rate",
    )
    load: float | None = option(
        "Work asked for, of what the engines can do: 1 is a pool that is always full. "
        f"Default: {PLAIN.load:g}.",
        None,
    )
    loads: str | None = option("A sweep over loads, as in 0.9,1.1,1.5.", None)
    rules: list[str] | None = option(
        f"Which pools' models may answer a share of the requests, as in {RULE_EXAMPLE}; one model "
        "alone is asked for by its name; or the name of a rule in --config. May be repeated. "
        "Default: any of them, in the order of --pool.",
        None,
        "--rule",
    )
    ttft_ms: int = option("Within which the first token must come.", PLAIN.ttft_ms)
    lengths: Lengths = option("Of answers: learned as they end, or told beforehand.", PLAIN.lengths)
    seed: int = option("The same seed gives the same run.", PLAIN.seed)
    pinned_share: float = option("Share of requests that may not be bought.", PLAIN.pinned_share)
    batch_share: float = option("Share of requests with hours of time.", PLAIN.batch_share)
    tenants: int = option("Among how many requests are shared out.", PLAIN.tenants)
    warm_share: float = option(
        "Share of requests with a prefix that others have.", PLAIN.warm_share, show_default="1/3"
    )
    prefixes: Prefixes = option("Drawn by --warm-share, or those of the trace.", PLAIN.prefixes)
    scaling: Scaling | None = option(
        "How the load is reached: slices of the trace side by side (fold), or faster "
        "(compress). Default: fold; synthetic arrivals: compress.",
        None,
    )
    laps: str = option(
        f"How often the trace is played, 1 to {LAPS_MAX}; auto: until it lasts "
        f"{HORIZON_S_MIN:g} s.",
        AUTO,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    pools: list[str] | None = option(
        f"A pool of one model, as in {POOL_EXAMPLE}; what it leaves out is that of --replicas and "
        "--profile. May be repeated. Default: one pool.",
        None,
        "--pool",
    )
    replicas: int = option("How many engines of a pool.", PLAIN.replicas)
    profile: str = option(
        f"What one engine can do: {', '.join(known_profiles())}, or a .json file.", PLAIN.profile
    )
    policy: str | None = option(
        f"One of: {', '.join(POLICY_NAMES)}. Default: {PLAIN.policy}.", None
    )
    policies: str | None = option(
        "A sweep over policies, as in bid-price,density-first; or all. "
        f"{BEST_THRESHOLD} runs {len(GRID)} thresholds and shows the one that spent least.",
        None,
    )
    config: Path | None = option(
        "A Serve config file, for the scheduler's settings in it: queue, admission, spill and "
        "circuit_breaker of user_config; and for the rules that --rule names. Default: their "
        "defaults, and none.",
        None,
    )
    offers: list[str] | None = option(
        f"What may be bought, in USD per M tokens, as in {EXAMPLE} (without in=: a quarter of "
        f"out), or an entry of the price book, as in {BOOK_EXAMPLE} (without a day: today's). With "
        "several pools, model= says which model it sells. May be repeated. Nothing is billed as "
        "cached: a provider holds no prefix here. Default: "
        f"out={', out='.join(o.offer_id.removeprefix('out-') for o in DEFAULT_OFFERS)}, assumed.",
        None,
        "--offer",
    )
    alternatives: Alternatives | None = option(
        "What each request may be bought from: any of the offers, or one of them that is "
        "drawn for it at random. Default: any; of the default offers, drawn.",
        None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    no_bound: bool = option(
        "Leave out the bound, which takes minutes for each load of a large trace.", False
    )
    report: Path | None = common_options.report_page()
    as_json: bool = common_options.json_output("One JSON document; of a sweep, a list.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateOptions:
    requests: RequestOptions = panel("Requests")
    pool: PoolOptions = panel("Engines, offers and policy")
    output: OutputOptions = panel("Output")
