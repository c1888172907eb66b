"""The options of `baseload simulate`, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.simulation.arrivals import ArrivalKind
from benchmarks.simulation.baselines import BEST_THRESHOLD, POLICY_NAMES
from benchmarks.simulation.experiment import HORIZON_S_MIN, LAPS_MAX, RATE_PER_S, Experiment
from benchmarks.simulation.forecast import Lengths
from benchmarks.simulation.offer_text import BOOK_EXAMPLE
from benchmarks.simulation.offers import DEFAULT_OFFERS, EXAMPLE
from benchmarks.simulation.profile import known_profiles
from benchmarks.simulation.scaling import Scaling
from benchmarks.simulation.thresholds import GRID
from benchmarks.simulation.traces import TraceFormat
from benchmarks.simulation.workload import Alternatives, Prefixes

REQUESTS, POOL, OUTPUT = "Requests", "Engines, offers and policy", "Output"
KNOWN_POLICIES = ", ".join(POLICY_NAMES)
PLAIN = Experiment()
AUTO, ALL = "auto", "all"

Trace = Annotated[
    Path | None, typer.Option("--trace", help="A trace file to play.", rich_help_panel=REQUESTS)
]
Format = Annotated[
    TraceFormat | None,
    typer.Option(
        "--format",
        help="Of the trace. Default: as its name ends: .csv, .jsonl.",
        rich_help_panel=REQUESTS,
    ),
]
Arrivals = Annotated[
    ArrivalKind | None,
    typer.Option(
        "--arrivals",
        help="Synthetic arrivals instead of a trace. Default: poisson.",
        rich_help_panel=REQUESTS,
    ),
]
Requests = Annotated[
    int | None,
    typer.Option(
        "--requests",
        help=f"How many synthetic arrivals. Default: {PLAIN.requests}.",
        rich_help_panel=REQUESTS,
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        "--rate",
        help="Synthetic arrivals per second, before they are scaled to the load; decides how "
        f"much of a day they span. Default: {RATE_PER_S:g}; diurnal: all within one day.",
        rich_help_panel=REQUESTS,
    ),
]
Load = Annotated[
    float | None,
    typer.Option(
        "--load",
        help="Work asked for, of what the engines can do: 1 is a pool that is always full. "
        f"Default: {PLAIN.load:g}.",
        rich_help_panel=REQUESTS,
    ),
]
Loads = Annotated[
    str | None,
    typer.Option(
        "--loads", help="A sweep over loads, as in 0.9,1.1,1.5.", rich_help_panel=REQUESTS
    ),
]
TtftMs = Annotated[
    int,
    typer.Option(
        "--ttft-ms", help="Within which the first token must come.", rich_help_panel=REQUESTS
    ),
]
LengthsTold = Annotated[
    Lengths,
    typer.Option(
        "--lengths",
        help="Of answers: learned as they end, or told beforehand.",
        rich_help_panel=REQUESTS,
    ),
]
PinnedShare = Annotated[
    float,
    typer.Option(
        "--pinned-share", help="Share of requests that may not be bought.", rich_help_panel=REQUESTS
    ),
]
BatchShare = Annotated[
    float,
    typer.Option(
        "--batch-share", help="Share of requests with hours of time.", rich_help_panel=REQUESTS
    ),
]
Tenants = Annotated[
    int,
    typer.Option(
        "--tenants", help="Among how many requests are shared out.", rich_help_panel=REQUESTS
    ),
]
WarmShare = Annotated[
    float,
    typer.Option(
        "--warm-share",
        help="Share of requests with a prefix that others have.",
        show_default="1/3",
        rich_help_panel=REQUESTS,
    ),
]
PrefixesFrom = Annotated[
    Prefixes,
    typer.Option(
        "--prefixes", help="Drawn by --warm-share, or those of the trace.", rich_help_panel=REQUESTS
    ),
]
ScalingKind = Annotated[
    Scaling | None,
    typer.Option(
        "--scaling",
        help="How the load is reached: slices of the trace side by side (fold), or faster "
        "(compress). Default: fold; synthetic arrivals: compress.",
        rich_help_panel=REQUESTS,
    ),
]
Laps = Annotated[
    str,
    typer.Option(
        "--laps",
        help=f"How often the trace is played, 1 to {LAPS_MAX}; auto: until it lasts "
        f"{HORIZON_S_MIN:g} s.",
        rich_help_panel=REQUESTS,
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", help="The same seed gives the same run.", rich_help_panel=REQUESTS)
]
Replicas = Annotated[
    int, typer.Option("--replicas", help="How many engines.", rich_help_panel=POOL)
]
ProfileName = Annotated[
    str,
    typer.Option(
        "--profile",
        help=f"What one engine can do: {', '.join(known_profiles())}, or a .json file.",
        rich_help_panel=POOL,
    ),
]
Offers = Annotated[
    list[str] | None,
    typer.Option(
        "--offer",
        help=f"What may be bought, in USD per M tokens, as in {EXAMPLE} (without in=: a quarter of "
        f"out), or an entry of the price book, as in {BOOK_EXAMPLE} (without a day: today's). May "
        "be repeated. Nothing is billed as cached: a provider holds no prefix here. Default: "
        f"out={', out='.join(o.offer_id.removeprefix('out-') for o in DEFAULT_OFFERS)}, assumed.",
        rich_help_panel=POOL,
    ),
]
AlternativesOf = Annotated[
    Alternatives | None,
    typer.Option(
        "--alternatives",
        help="What each request may be bought from: any of the offers, or one of them that is "
        "drawn for it at random. Default: any; of the default offers, drawn.",
        rich_help_panel=POOL,
    ),
]
PolicyName = Annotated[
    str | None,
    typer.Option(
        "--policy", help=f"One of: {KNOWN_POLICIES}. Default: {PLAIN.policy}.", rich_help_panel=POOL
    ),
]
PolicyNames = Annotated[
    str | None,
    typer.Option(
        "--policies",
        help="A sweep over policies, as in bid-price,density-first; or all. "
        f"{BEST_THRESHOLD} runs {len(GRID)} thresholds and shows the one that spent least.",
        rich_help_panel=POOL,
    ),
]
NoBound = Annotated[
    bool,
    typer.Option(
        "--no-bound",
        help="Leave out the bound, which takes minutes for each load of a large trace.",
        rich_help_panel=OUTPUT,
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report", help="Write a page with plots to this .html file.", rich_help_panel=OUTPUT
    ),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="One JSON document; of a sweep, a list.", rich_help_panel=OUTPUT),
]
