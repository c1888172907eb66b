"""`baseload breakeven`: where self-hosting costs as much as an API, and where it never does.

The arithmetic, and what it refuses, is `benchmarks.economics`'s: this parses, shows and keeps.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from math import gcd
from pathlib import Path

import typer

from benchmarks.economics.anchors import anchors
from benchmarks.economics.api_price import GIVEN, TokenMix, find_price, given_price, is_same_model
from benchmarks.economics.breakeven import Cluster
from benchmarks.economics.checks import BadInput, not_negative, number
from benchmarks.economics.claims import findings
from benchmarks.economics.cost import nano_up, parse_card_hour
from benchmarks.economics.demand import DAY_MEAN_TO_PEAK, Demand, day_curve, flat, trace_demand
from benchmarks.economics.study import Question, study
from benchmarks.economics.theta import Theta, read_theta
from cluster.cli.breakeven import options
from cluster.cli.breakeven.options import DemandKind
from cluster.cli.breakeven.output import keep_claims, keep_study, show_claims, show_study
from cluster.cli.report_file import check_writable
from cluster.cli.terminal import note
from models.data_file import BadDataFile
from models.layout import CARDS_PER_NODE
from models.prices import Price, load_price_book
from runtime.errors import ConfigError

EXIT_INCOMPLETE = 1


def breakeven(
    card_price: options.CardPrice = None,
    cards: options.Cards = None,
    cards_per_replica: options.CardsPerReplica = None,
    theta: options.ThetaFrom = None,
    fixed_usd_per_month: options.Fixed = "0",
    api: options.Apis = None,
    api_in: options.ApiIn = None,
    api_out: options.ApiOut = None,
    api_cached: options.ApiCached = None,
    input_per_output: options.InputPerOutput = None,
    cache_hit: options.CacheHit = "0",
    demand: options.DemandFrom = None,
    trace: options.Trace = None,
    mtok_per_month: options.Volume = None,
    mean_to_peak: options.MeanToPeak = None,
    anyway: options.Anyway = False,
    claims: options.Claims = False,
    as_json: options.AsJson = False,
    report: options.Report = None,
) -> None:
    r"""Set the cost of your own cards against the price of an API.

    Example: baseload breakeven --card-price 2.0 --cards 64 --theta 1072 \
      --api-in 0.28 --api-out 0.42 --input-per-output 2

    Example: baseload breakeven --claims
    """
    check_writable(report)
    try:
        if claims:
            _claims(as_json, report)
            return
        found = read_theta(_given("--theta", theta))
        cluster = _cluster(found, card_price, cards, cards_per_replica, fixed_usd_per_month)
        wanted = _demand(demand, trace, mean_to_peak)
        ratio = _ratio(input_per_output, wanted, found)
        prices = _prices(api or [], api_in, api_out, api_cached)
        if not anyway:
            _check_models(found, prices)
        made = study(
            Question(
                cluster=cluster,
                mix=TokenMix(ratio, number("--cache-hit", cache_hit)),
                demand=_at_volume(cluster, wanted, mtok_per_month),
                prices=prices,
                theta_span=found.span,
                theta_source=found.at(ratio),
            )
        )
    except (BadInput, BadDataFile) as error:
        raise ConfigError(str(error)) from error
    show_study(made, as_json=as_json)
    keep_study(made, report)
    if (source := found.at(ratio)) != found.source:
        note.print(f"theta is from {source}", style="yellow")
    if wanted.damage:
        note.print(f"{wanted.damage}. The demand is what came before that line.", style="red")
        raise typer.Exit(EXIT_INCOMPLETE)


def _claims(as_json: bool, report: Path | None) -> None:
    found, known = findings(), anchors()
    show_claims(found, known, as_json=as_json)
    keep_claims(found, known, report)


def _cluster(
    theta: Theta, card_price: str | None, cards: int | None, per_replica: int | None, fixed: str
) -> Cluster:
    card = parse_card_hour(_given("--card-price", card_price))
    if cards is None:
        raise BadInput("--cards is missing: how many cards there are, or would be")
    if per_replica is None:
        per_replica = theta.cards_per_replica or gcd(cards, CARDS_PER_NODE)
    return Cluster(
        card=card,
        cards=cards,
        theta=theta.tok_s,
        cards_per_replica=per_replica,
        fixed_nano_per_month=nano_up(not_negative("--fixed-usd-per-month", fixed)),
    )


def _demand(kind: DemandKind | None, trace: Path | None, mean_to_peak: str | None) -> Demand:
    if trace is not None or kind == "trace":
        if trace is None or kind not in (None, "trace"):
            raise BadInput("--demand trace and --trace FILE belong together")
        if mean_to_peak is not None:
            raise BadInput("--mean-to-peak: a trace has its own; leave one of them out")
        return trace_demand(trace)
    if kind == "flat":
        if mean_to_peak is not None and number("--mean-to-peak", mean_to_peak) != 1:
            raise BadInput("--mean-to-peak: a flat demand's is 1; use --demand day for another")
        return flat()
    if kind is None and mean_to_peak is None:
        return flat()
    return day_curve(
        DAY_MEAN_TO_PEAK if mean_to_peak is None else number("--mean-to-peak", mean_to_peak)
    )


def _at_volume(cluster: Cluster, wanted: Demand, mtok_per_month: str | None) -> Demand:
    """A trace has a volume of its own; any other demand is what fills the cards at its peak."""
    if mtok_per_month is not None:
        return wanted.scaled(number("--mtok-per-month", mtok_per_month))
    if wanted.input_per_output is not None:
        return wanted
    return wanted.scaled(cluster.capacity_mtok_per_month(wanted.mean_to_peak))


def _ratio(given: str | None, wanted: Demand, theta: Theta) -> Decimal:
    if given is not None:
        return number("--input-per-output", given)
    ratio = wanted.input_per_output or theta.input_per_output
    if ratio is None:
        raise BadInput(
            "--input-per-output is missing: how many prompt tokens come with each output token"
        )
    return ratio


def _prices(
    ids: list[str], api_in: str | None, api_out: str | None, cached: str | None
) -> tuple[Price, ...]:
    given = []
    if not ids or any(price is not None for price in (api_in, api_out, cached)):
        if not ids and api_in is None and api_out is None:
            raise BadInput("no API to compare with: give --api-in and --api-out, or --api ID")
        given.append(given_price(api_in, api_out, cached, on=datetime.now(UTC).date()))
    if not ids:
        return tuple(given)
    book = load_price_book()
    return (*given, *(find_price(book, each) for each in ids))


def _check_models(theta: Theta, prices: tuple[Price, ...]) -> None:
    """The cost of one model's tokens says nothing beside the price of another's."""
    for price in prices:
        if theta.model is None or price.provider == GIVEN:
            continue
        if not is_same_model(theta.model, price.model):
            raise BadInput(
                f"theta is of {theta.model} ({theta.source}) and {price.price_id} is the price of "
                f"{price.model}: give a theta and a price of one model, or --anyway where "
                f"{price.model} is another name of it"
            )


def _given(option: str, text: str | None) -> str:
    if text is None:
        raise BadInput(f"{option} is missing: {options.MEANS[option]}")
    return text
