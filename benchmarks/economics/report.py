"""The page of a break-even: the answer first, then what it costs, what moves it, and its inputs.

Written for someone who signs the bill: every figure stands with the inputs that it follows from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from benchmarks.economics.anchors import Anchor
from benchmarks.economics.claims import Finding
from benchmarks.economics.cost import usd_per_mtok_blended, usd_per_mtok_output
from benchmarks.economics.format_figures import figure, monthly_usd, percent
from benchmarks.economics.plots import bill_by_volume, tornado_bars, utilization_bars
from benchmarks.economics.study import (
    Question,
    Study,
    hybrid_in_words,
    in_words,
    question_in_words,
)
from benchmarks.pages.drawing import labelled
from benchmarks.pages.templates import environment
from models.money import NANO_PER_USD, usd_per_mtok
from models.price_book import Price

USES = tuple(Decimal(text) for text in ("1", "0.7", "0.5", "0.3", "0.1"))

_TEMPLATES = environment(
    "benchmarks.economics",
    is_html=True,
    figure=figure,
    monthly_usd=monthly_usd,
    percent=percent,
)


def report(study: Study, origin: Mapping[str, str]) -> str:
    """``origin`` says where it comes from: date, versions, machine."""
    question, first = study.question, study.answers[0]
    drawn = [bill_by_volume(study), utilization_bars(study)]
    return _TEMPLATES.get_template("break_even.html.j2").render(
        title="Baseload break-even",
        lead=question_in_words(question),
        verdict=f"{in_words(question, first)} {hybrid_in_words(first)}",
        answers=[(answer, in_words(question, answer)) for answer in study.answers],
        costs=[_costs(question, use) for use in USES],
        drawn=labelled([*drawn, *map(tornado_bars, study.answers)]),
        inputs=_inputs(study) | dict(origin),
        nano_per_usd=NANO_PER_USD,
    )


def claims_page(
    findings: Sequence[Finding], anchors: Sequence[Anchor], origin: Mapping[str, str]
) -> str:
    return _TEMPLATES.get_template("claims.html.j2").render(
        title="Claims about the cost of tokens", findings=findings, anchors=anchors, origin=origin
    )


def _costs(question: Question, use: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """A utilization, and the USD per M output and per M of either kind there."""
    cluster = question.cluster
    output = usd_per_mtok_output(cluster.card.usd, cluster.theta, use)
    return use, output, usd_per_mtok_blended(output, question.mix.input_per_output)


def _inputs(study: Study) -> dict[str, str]:
    question = study.question
    cluster, demand = question.cluster, question.demand
    parts = ", ".join(f"{name} {nano / NANO_PER_USD:.4g}" for name, nano in cluster.card.parts)
    found = {
        "card-hour, USD": f"{cluster.card.usd:.4f} ({parts})",
        "cards": f"{cluster.cards}, {cluster.cards_per_replica} to a replica",
        "theta, output tok/s per card": f"{cluster.theta:.6g} ({question.theta_source})",
        "fixed cost, USD per month": f"{cluster.fixed_nano_per_month / NANO_PER_USD:,.2f}",
        "demand": f"{demand.name}, {demand.mtok_per_month:,.0f} M output tokens per month, "
        f"mean to peak {demand.mean_to_peak:.3f}",
    }
    if demand.damage:
        found["demand is incomplete"] = demand.damage
    for answer in study.answers:
        found[answer.price.price_id] = _price(answer.price)
    return found


def _price(price: Price) -> str:
    cached = "none" if price.cached_input_pico is None else usd_per_mtok(price.cached_input_pico)
    until = f" to {price.effective_to}" if price.effective_to else ""
    return (
        f"{usd_per_mtok(price.input_pico)} in, {usd_per_mtok(price.output_pico)} out, cached "
        f"{cached} (USD per M tokens); {price.effective_from}{until}; {price.source}"
    )
