"""The options of `baseload breakeven`, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from benchmarks.economics.demand import DAY_MEAN_TO_PEAK
from models.layout import CARDS_PER_NODE

OWN, API, DEMAND, OUTPUT = "Your cards", "The API", "The demand", "Output"

DemandKind: TypeAlias = Literal["flat", "day", "trace"]

MEANS = {
    "--card-price": "what a card costs for an hour, as in 2.0",
    "--theta": "output tok/s of one card within the SLO, or the JSON of a sweep or a plan",
}

CardPrice = Annotated[
    str | None,
    typer.Option(
        "--card-price",
        help="USD per card-hour; or its parts, as in rent=2,staff=0.1 or "
        "capex=20700,years=4,kw=1.2,pue=1.3,kwh=0.08,colocation=0.1,network=0.03,staff=0.1.",
        rich_help_panel=OWN,
    ),
]
Cards = Annotated[int | None, typer.Option("--cards", help="How many.", rich_help_panel=OWN)]
CardsPerReplica = Annotated[
    int | None,
    typer.Option(
        "--cards-per-replica",
        help="They come in whole replicas. Default: a plan's, or a node of "
        f"{CARDS_PER_NODE} where that divides the cards.",
        rich_help_panel=OWN,
    ),
]
ThetaFrom = Annotated[
    str | None,
    typer.Option(
        "--theta",
        help="Output tok/s of one card within the SLO, all cards counted; or the .json of a "
        "sweep or a plan.",
        rich_help_panel=OWN,
    ),
]
Fixed = Annotated[
    str,
    typer.Option(
        "--fixed-usd-per-month",
        help="What owning costs however many cards there are: staff, licences.",
        rich_help_panel=OWN,
    ),
]
Apis = Annotated[
    list[str] | None,
    typer.Option(
        "--api",
        help="A price of the book, as in deepseek/deepseek-chat@2025-09-29; may be repeated.",
        rich_help_panel=API,
    ),
]
ApiIn = Annotated[
    str | None, typer.Option("--api-in", help="USD per M input tokens.", rich_help_panel=API)
]
ApiOut = Annotated[
    str | None, typer.Option("--api-out", help="USD per M output tokens.", rich_help_panel=API)
]
ApiCached = Annotated[
    str | None,
    typer.Option(
        "--api-cached",
        help="USD per M cached input tokens. Default: as any other input.",
        rich_help_panel=API,
    ),
]
CacheHit = Annotated[
    str,
    typer.Option(
        "--cache-hit",
        help="Share of the input that the API charges as cached.",
        rich_help_panel=API,
    ),
]
InputPerOutput = Annotated[
    str | None,
    typer.Option(
        "--input-per-output",
        help="Prompt tokens per output token. Default: the trace's, or the plan's.",
        rich_help_panel=DEMAND,
    ),
]
DemandFrom = Annotated[
    DemandKind | None,
    typer.Option(
        "--demand",
        help="Its shape over time. Default: flat; with --mean-to-peak, day.",
        rich_help_panel=DEMAND,
    ),
]
Trace = Annotated[
    Path | None,
    typer.Option("--trace", help="A trace file: .csv or .jsonl.", rich_help_panel=DEMAND),
]
Volume = Annotated[
    str | None,
    typer.Option(
        "--mtok-per-month",
        help="M output tokens. Default: the trace's own; else what fills the cards at its peak.",
        rich_help_panel=DEMAND,
    ),
]
MeanToPeak = Annotated[
    str | None,
    typer.Option(
        "--mean-to-peak",
        help=f"Mean over peak of a day. Default of day: {DAY_MEAN_TO_PEAK}, that of a public "
        "fleet.",
        rich_help_panel=DEMAND,
    ),
]
Anyway = Annotated[
    bool,
    typer.Option(
        "--anyway",
        help="Take a theta of one model beside the price of another, by their names.",
        rich_help_panel=API,
    ),
]
Claims = Annotated[
    bool,
    typer.Option(
        "--claims",
        help="Set published claims against the arithmetic instead.",
        rich_help_panel=OUTPUT,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.", rich_help_panel=OUTPUT)]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report", help="Write a page with plots to this .html file.", rich_help_panel=OUTPUT
    ),
]
