"""A break-even from a to z, on figures that DeepSeek published of its own fleet."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from benchmarks.documents.section import Section
from benchmarks.documents.template import section_of
from benchmarks.economics.api_price import TokenMix
from benchmarks.economics.breakeven import Cluster
from benchmarks.economics.cost import parse_card_hour, usd_per_mtok_output
from benchmarks.economics.demand import DAY_MEAN_TO_PEAK, day_curve
from benchmarks.economics.plots import bill_by_volume, tornado_bars, utilization_bars
from benchmarks.economics.sensitivity import THETA, band, utilization_ends
from benchmarks.economics.study import (
    Question,
    Study,
    hybrid_in_words,
    in_words,
    question_in_words,
    study,
)
from models.layout import CARDS_PER_NODE
from models.price_book import Price, load_price_book

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
    plots = {
        "bill-by-volume": bill_by_volume(made),
        "break-even": utilization_bars(made),
        "sensitivity": tornado_bars(made.answers[0]),
    }
    return section_of(
        "break_even_example",
        plots,
        question=question_in_words(asked),
        card_price=CARD_PRICE,
        cards=CARDS,
        theta=THETA_TOK_S,
        mix=MIX,
        cached=CACHED,
        apis=" ".join(f"--api {price.price_id}" for price in _sold()),
        answers=made.answers,
        band=lambda answer: band(answer.bars, utilization_ends),
        sentences=[f"{in_words(asked, each)} {hybrid_in_words(each)}" for each in made.answers],
        costs=[
            (use, usd_per_mtok_output(asked.cluster.card.usd, asked.cluster.theta, use))
            for use in USES
        ],
    )


def _sold() -> list[Price]:
    book = load_price_book()
    return [each for each in book.prices if f"{each.provider}/{each.model}" in SELLERS]


def _name(price: Price) -> str:
    """Short enough for a plot."""
    return f"{price.provider}/{price.model.rpartition('/')[2]}"
