"""A break-even from a to z, on figures that DeepSeek published of its own fleet."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from benchmarks.documents.markdown import NONE, paragraphs, plain, table
from benchmarks.documents.section import Section
from benchmarks.economics.api_price import TokenMix
from benchmarks.economics.breakeven import Cluster
from benchmarks.economics.cost import parse_card_hour, usd_per_mtok_output
from benchmarks.economics.demand import DAY_MEAN_TO_PEAK, day_curve
from benchmarks.economics.plots import bill_by_volume, tornado_bars, utilization_bars
from benchmarks.economics.sensitivity import THETA, band, utilization_ends
from benchmarks.economics.study import (
    Answer,
    Question,
    Study,
    hybrid_in_words,
    in_words,
    question_in_words,
    study,
)
from benchmarks.economics.words import dollars, percent
from models.layout import CARDS_PER_NODE
from models.prices import Price, load_price_book

USES = tuple(Decimal(share) / 100 for share in (10, 25, 40, 55, 70, 85, 100))

# A day of DeepSeek's own fleet: price, rate, mix and day curve all from the same public source.
CARD_PRICE, CARDS, THETA_TOK_S, MIX, CACHED = "2.0", 64, "1072", "3.62", "0.563"
SELLERS = ("deepseek/deepseek-chat", "deepinfra/deepseek-ai/DeepSeek-V3.2")


def example() -> Study:
    cluster = Cluster(parse_card_hour(CARD_PRICE), CARDS, Decimal(THETA_TOK_S), CARDS_PER_NODE)
    demand = day_curve(DAY_MEAN_TO_PEAK)
    return study(
        Question(
            cluster=cluster,
            mix=TokenMix(Decimal(MIX), Decimal(CACHED)),
            demand=demand.scaled(cluster.capacity_mtok_per_month(demand.mean_to_peak)),
            prices=tuple(replace(price, price_id=_name(price)) for price in _sold()),
            theta_span=THETA,
            theta_source="DeepSeek open-infra day 6, all nodes",
        )
    )


def section() -> Section:
    made = example()
    asked = made.question
    apis = " ".join(f"--api {price.price_id}" for price in _sold())
    costs = [usd_per_mtok_output(asked.cluster.card.usd, asked.cluster.theta, u) for u in USES]
    sentences = (f"{in_words(asked, a)} {hybrid_in_words(a)}" for a in made.answers)
    heads = (
        *("API", "USD per M output with input", "U*", "band"),
        *("all API", "all local", "hybrid", "cards owned"),
    )
    body = paragraphs(
        "DeepSeek's own fleet as it published a day of it, against what DeepSeek-V3.2 is sold at. "
        + plain(question_in_words(asked)),
        "```\n"
        f"baseload breakeven --card-price {CARD_PRICE} --cards {CARDS} --theta {THETA_TOK_S} \\\n"
        f"    --input-per-output {MIX} --cache-hit {CACHED} --demand day \\\n"
        f"    {apis}\n"
        "```",
        table(heads, [_bills(answer) for answer in made.answers]),
        *map(plain, sentences),
        "What a million output tokens cost there, by utilization:",
        table([percent(use) for use in USES], [[f"${cost:.2f}" for cost in costs]], ""),
    )
    plots = {
        "bill-by-volume": bill_by_volume(made),
        "break-even": utilization_bars(made),
        "sensitivity": tornado_bars(made.answers[0]),
    }
    return Section("An example: 64 H800", body, plots)


def _sold() -> list[Price]:
    book = load_price_book()
    return [each for each in book.prices if f"{each.provider}/{each.model}" in SELLERS]


def _name(price: Price) -> str:
    """Short enough for a plot."""
    return f"{price.provider}/{price.model.rpartition('/')[2]}"


def _bills(answer: Answer) -> list[str]:
    low, high = band(answer.bars, utilization_ends)
    found = answer.break_even
    return [
        plain(answer.price.price_id),
        f"{found.value_usd_per_mtok:.3f}",
        percent(found.utilization),
        f"{100 * low:.0f} to {100 * high:.0f} %",
        *(dollars(bill) for bill in (answer.bought, answer.local, answer.hybrid)),
        str(answer.hybrid.cards) if answer.hybrid.cards else NONE,
    ]
