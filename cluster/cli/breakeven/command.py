"""`baseload breakeven`: where self-hosting costs as much as an API, and where it never does.

The arithmetic, and what it refuses, is `benchmarks.economics`'s: this parses, shows and keeps.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from math import gcd

import typer

from benchmarks.economics.anchors import anchors
from benchmarks.economics.api_price import GIVEN, TokenMix, find_price, given_price, is_same_model
from benchmarks.economics.breakeven import Cluster
from benchmarks.economics.claims import findings
from benchmarks.economics.cost import nano_up, parse_card_hour
from benchmarks.economics.demand import DAY_MEAN_TO_PEAK, Demand, day_curve, flat, trace_demand
from benchmarks.economics.input_checks import BadInput, not_negative, number
from benchmarks.economics.read_theta import Theta, read_theta
from benchmarks.economics.study import Question, study
from cluster.cli.breakeven.options import (
    MEANS,
    ApiOptions,
    BreakevenOptions,
    DemandOptions,
    OutputOptions,
    OwnOptions,
)
from cluster.cli.breakeven.output import keep_claims, keep_study, show_claims, show_study
from cluster.cli.report_file import check_writable
from cluster.cli.terminal import note
from cluster.cli.typer_options import takes
from models.data_file import BadDataFile
from models.layout import CARDS_PER_NODE
from models.price_book import Price, load_price_book
from runtime.errors import ConfigError

EXIT_INCOMPLETE = 1


@takes(BreakevenOptions)
def breakeven(options: BreakevenOptions) -> None:
    r"""Set the cost of your own cards against the price of an API.

    Example: baseload breakeven --card-price 2.0 --cards 64 --theta 1072 \
      --api-in 0.28 --api-out 0.42 --input-per-output 2

    Example: baseload breakeven --claims
    """
    output = options.output
    check_writable(output.report)
    try:
        if output.claims:
            _claims(output)
            return
        theta = read_theta(_given("--theta", options.own.theta))
        cluster = _cluster(options.own, theta)
        demand = _demand(options.demand)
        question = _question(options, theta, cluster, demand)
        made = study(question)
    except (BadInput, BadDataFile) as error:
        raise ConfigError(str(error)) from error
    show_study(made, as_json=output.as_json)
    keep_study(made, output.report)
    if question.theta_source != theta.source:
        note.print(f"theta is from {question.theta_source}", style="yellow")
    if demand.damage:
        note.print(f"{demand.damage}. The demand is what came before that line.", style="red")
        raise typer.Exit(EXIT_INCOMPLETE)


def _claims(output: OutputOptions) -> None:
    found, known = findings(), anchors()
    show_claims(found, known, as_json=output.as_json)
    keep_claims(found, known, output.report)


def _question(
    options: BreakevenOptions, theta: Theta, cluster: Cluster, demand: Demand
) -> Question:
    """``demand`` has no volume yet, unless it is a trace's."""
    ratio = _ratio(options.demand.input_per_output, demand, theta)
    prices = _prices(options.api)
    if not options.api.anyway:
        _check_models(theta, prices)
    return Question(
        cluster=cluster,
        mix=TokenMix(ratio, number("--cache-hit", options.api.cache_hit)),
        demand=_at_volume(cluster, demand, options.demand.mtok_per_month),
        prices=prices,
        theta_span=theta.span,
        theta_source=theta.at(ratio),
    )


def _cluster(own: OwnOptions, theta: Theta) -> Cluster:
    card = parse_card_hour(_given("--card-price", own.card_price))
    if own.cards is None:
        raise BadInput("--cards is missing: how many cards there are, or would be")
    per_replica = own.cards_per_replica
    if per_replica is None:
        per_replica = theta.cards_per_replica or gcd(own.cards, CARDS_PER_NODE)
    return Cluster(
        card=card,
        cards=own.cards,
        theta=theta.tok_s,
        cards_per_replica=per_replica,
        fixed_nano_per_month=nano_up(
            not_negative("--fixed-usd-per-month", own.fixed_usd_per_month)
        ),
    )


def _demand(wanted: DemandOptions) -> Demand:
    if wanted.trace is not None or wanted.kind == "trace":
        if wanted.trace is None or wanted.kind not in (None, "trace"):
            raise BadInput("--demand trace and --trace FILE belong together")
        if wanted.mean_to_peak is not None:
            raise BadInput("--mean-to-peak: a trace has its own; leave one of them out")
        return trace_demand(wanted.trace)
    mean_to_peak = wanted.mean_to_peak
    if wanted.kind == "flat":
        if mean_to_peak is not None and number("--mean-to-peak", mean_to_peak) != 1:
            raise BadInput("--mean-to-peak: a flat demand's is 1; use --demand day for another")
        return flat()
    if wanted.kind is None and mean_to_peak is None:
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


def _prices(api: ApiOptions) -> tuple[Price, ...]:
    ids = api.price_ids or []
    given = []
    if not ids or any(price is not None for price in (api.api_in, api.api_out, api.api_cached)):
        if not ids and api.api_in is None and api.api_out is None:
            raise BadInput("no API to compare with: give --api-in and --api-out, or --api ID")
        today = datetime.now(UTC).date()
        given.append(given_price(api.api_in, api.api_out, api.api_cached, on=today))
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
        raise BadInput(f"{option} is missing: {MEANS[option]}")
    return text
