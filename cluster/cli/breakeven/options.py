"""The options of `baseload breakeven`, with their help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from benchmarks.economics.demand import DAY_MEAN_TO_PEAK
from cluster.cli import common_options
from cluster.cli.typer_options import option, panel
from models.layout import CARDS_PER_NODE

DemandKind: TypeAlias = Literal["flat", "day", "trace"]

MEANS = {
    "--card-price": "what a card costs for an hour, as in 2.0",
    "--theta": "output tok/s of one card within the SLO, or the JSON of a sweep or a plan",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOptions:
    """Amounts are texts, read as decimals."""

    card_price: str | None = option(
        "USD per card-hour; or its parts, as in rent=2,staff=0.1 or "
        "capex=20700,years=4,kw=1.2,pue=1.3,kwh=0.08,colocation=0.1,network=0.03,staff=0.1.",
        None,
    )
    cards: int | None = option("How many.", None)
    cards_per_replica: int | None = option(
        "They come in whole replicas. Default: a plan's, or a node of "
        f"{CARDS_PER_NODE} where that divides the cards.",
        None,
    )
    theta: str | None = option(
        "Output tok/s of one card within the SLO, all cards counted; or the .json of a sweep or a "
        "plan.",
        None,
    )
    fixed_usd_per_month: str = option(
        "What owning costs however many cards there are: staff, licences.", "0"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """Prices and shares are texts, read as decimals."""

    price_ids: list[str] | None = option(
        "A price of the book, as in deepseek/deepseek-chat@2025-09-29; may be repeated.",
        None,
        "--api",
    )
    api_in: str | None = option("USD per M input tokens.", None)
    api_out: str | None = option("USD per M output tokens.", None)
    api_cached: str | None = option(
        "USD per M cached input tokens. Default: as any other input.", None
    )
    cache_hit: str = option("Share of the input that the API charges as cached.", "0")
    anyway: bool = option(
        "Take a theta of one model beside the price of another, by their names.", False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandOptions:
    """Amounts are texts, read as decimals."""

    input_per_output: str | None = option(
        "Prompt tokens per output token. Default: the trace's, or the plan's.", None
    )
    kind: DemandKind | None = option(
        "Its shape over time. Default: flat; with --mean-to-peak, day.", None, "--demand"
    )
    trace: Path | None = option("A trace file: .csv or .jsonl.", None)
    mtok_per_month: str | None = option(
        "M output tokens. Default: the trace's own; else what fills the cards at its peak.", None
    )
    mean_to_peak: str | None = option(
        f"Mean over peak of a day. Default of day: {DAY_MEAN_TO_PEAK}, that of a public fleet.",
        None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    claims: bool = option("Set published claims against the arithmetic instead.", False)
    as_json: bool = common_options.json_output()
    report: Path | None = common_options.report_page()


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakevenOptions:
    own: OwnOptions = panel("Your cards")
    api: ApiOptions = panel("The API")
    demand: DemandOptions = panel("The demand")
    output: OutputOptions = panel("Output")
