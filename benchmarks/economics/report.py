"""The page of a break-even: the answer first, then what it costs, what moves it, and its inputs.

Written for someone who signs the bill: every figure stands with the inputs that it follows from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from markupsafe import Markup

from benchmarks.economics.anchors import Anchor
from benchmarks.economics.claims import Finding
from benchmarks.economics.cost import usd_per_mtok_blended, usd_per_mtok_output
from benchmarks.economics.plots import bill_by_volume, tornado_bars, utilization_bars
from benchmarks.economics.study import (
    Answer,
    Question,
    Study,
    hybrid_in_words,
    in_words,
    question_in_words,
)
from benchmarks.economics.words import figure, monthly_usd, percent
from benchmarks.pages.page import head, page, pairs, plots, row, section
from models.money import NANO_PER_USD, usd_per_mtok
from models.prices import Price

USES = tuple(Decimal(text) for text in ("1", "0.7", "0.5", "0.3", "0.1"))
TITLE = "Baseload break-even"


def report(study: Study, origin: Mapping[str, str]) -> str:
    """``origin`` says where it comes from: date, versions, machine."""
    drawn = [bill_by_volume(study), utilization_bars(study)]
    drawn += [tornado_bars(answer) for answer in study.answers]
    parts = [
        _head(study),
        _answers(study),
        _bills(study.answers),
        _use(study.question),
        plots(drawn),
        pairs("Inputs", _inputs(study) | dict(origin)),
    ]
    return page(TITLE, parts)


def claims_page(
    findings: Sequence[Finding], anchors: Sequence[Anchor], origin: Mapping[str, str]
) -> str:
    lead = "Published figures, and what their own inputs give."
    parts = [head("Claims about the cost of tokens", lead), _claims(findings)]
    parts += [_claim_sources(findings), _anchors(anchors), pairs("Made", origin)]
    return page("Claims about the cost of tokens", parts)


def _head(study: Study) -> Markup:
    first = study.answers[0]
    lead = question_in_words(study.question)
    return head(TITLE, lead, f"{in_words(study.question, first)} {hybrid_in_words(first)}")


def _answers(study: Study) -> Markup:
    names = (
        *("API, USD per M output with input", "break-even utilization", "M output per month"),
        *("the cards serve, M per month", "verdict"),
    )
    rows = [row("", names, "th", "heads", "")]
    for answer in study.answers:
        found = answer.break_even
        volume = "–" if found.mtok_per_month is None else f"{found.mtok_per_month:,.0f}"
        cells = (
            f"{found.value_usd_per_mtok:.3f}",
            percent(found.utilization, 1),
            volume,
            f"{found.capacity_mtok:,.0f}",
            found.verdict.value.replace("_", " "),
        )
        rows.append(row(answer.price.price_id, cells, says=in_words(study.question, answer)))
    return section("Where it breaks even", rows)


def _bills(answers: Sequence[Answer]) -> Markup:
    names = ("all bought", "all local", "cheapest", "cards owned", "of it bought", "use of cards")
    rows = [row("USD per month, for this demand", names, "th", "heads")]
    for answer in answers:
        best = answer.hybrid
        cells = (
            *(monthly_usd(each) for each in (answer.bought, answer.local, best)),
            f"{best.cards:,}",
            f"${best.bought_nano / NANO_PER_USD:,.0f}",
            "–" if best.utilization is None else percent(Decimal(str(best.utilization))),
        )
        rows.append(row(answer.price.price_id, cells))
    return section("Monthly bills", rows)


def _use(question: Question) -> Markup:
    cluster = question.cluster
    rows = [row("utilization", [percent(use) for use in USES], "th", "heads")]
    costs = [usd_per_mtok_output(cluster.card.usd, cluster.theta, use) for use in USES]
    rows.append(row("USD per M output", [f"{cost:.3f}" for cost in costs]))
    blended = [usd_per_mtok_blended(cost, question.mix.input_per_output) for cost in costs]
    rows.append(row("USD per M of either kind", [f"{cost:.3f}" for cost in blended]))
    return section("What a token costs here", rows)


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


def _claims(findings: Sequence[Finding]) -> Markup:
    rows = [row("", ("published", "computed", "verdict"), "th", "heads", "")]
    for finding in findings:
        claim = finding.claim
        cells = (
            f"{claim.published:,}",
            figure(finding.computed),
            finding.verdict.value.replace("_", " "),
        )
        rows.append(row(claim.claim_id, cells, says=f"{claim.says}. {finding.condition}"))
    return section("Claims", rows)


def _claim_sources(findings: Sequence[Finding]) -> Markup:
    entries = {
        finding.claim.claim_id: f"{finding.formula_shown}, {finding.claim.unit}; "
        f"{finding.inputs_in_words()}. Claim: {finding.claim.source}"
        for finding in findings
    }
    return pairs("Formulas and inputs", entries)


def _anchors(anchors: Sequence[Anchor]) -> Markup:
    rows = [row("", ("published", "computed", "agrees"), "th", "heads", "")]
    for anchor in anchors:
        cells = (anchor.published, figure(anchor.computed), "yes" if anchor.agrees else "NO")
        note = f"{anchor.unit}. {anchor.note}" if anchor.note else anchor.unit
        rows.append(row(anchor.says, cells, says=note))
    return section("Public figures, reproduced", rows)
