"""The issue that all of this is about: 64 cards at $2 against DeepSeek V3.2's list price."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

from benchmarks.economics.api_price import TokenMix, given_price
from benchmarks.economics.breakeven import Cluster
from benchmarks.economics.cost import card_hour
from benchmarks.economics.demand import Demand, day_curve
from benchmarks.economics.sensitivity import THETA
from benchmarks.economics.study import Question
from models.price_book import Price

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def api(input_usd: str, output_usd: str, cached_usd: str | None = None) -> Price:
    return given_price(input_usd, output_usd, cached_usd, on=date(2026, 1, 1))


def cluster(
    card_usd: str = "2",
    cards: int = 64,
    theta: str = "1072",
    *,
    per_replica: int = 8,
    fixed_usd: int = 0,
) -> Cluster:
    return Cluster(
        card=card_hour({"rent": card_usd}),
        cards=cards,
        theta=Decimal(theta),
        cards_per_replica=per_replica,
        fixed_nano_per_month=fixed_usd * 10**9,
    )


def question(*prices: Price, own: Cluster | None = None, demand: Demand | None = None) -> Question:
    own = own or cluster()
    demand = demand or day_curve()
    return Question(
        cluster=own,
        mix=TokenMix(Decimal(2), Decimal(0)),
        demand=demand.scaled(own.capacity_mtok_per_month(demand.mean_to_peak)),
        prices=prices or (api("0.28", "0.42"),),
        theta_span=THETA,
        theta_source="given",
    )
