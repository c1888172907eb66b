"""One question about self-hosting, and all of its answers: one for each API it is set against."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from benchmarks.economics.api_price import TokenMix, value_usd_per_mtok
from benchmarks.economics.breakeven import BreakEven, BreakEvenVerdict, Cluster, break_even
from benchmarks.economics.demand import Demand
from benchmarks.economics.format_figures import percent
from benchmarks.economics.hybrid import MonthlyBill, all_bought, all_local, cheapest
from benchmarks.economics.input_checks import BadInput
from benchmarks.economics.sensitivity import Bar, Point, Span, tornado
from models.money import NANO_PER_USD
from models.price_book import Price

APIS_MAX = 8  # more lines cannot be told apart in one plot


@dataclass(frozen=True, slots=True)
class Question:
    """``demand`` has the volume that bills are asked for."""

    cluster: Cluster
    mix: TokenMix
    demand: Demand
    prices: tuple[Price, ...]
    theta_span: Span
    theta_source: str

    def __post_init__(self) -> None:
        if not 1 <= len(self.prices) <= APIS_MAX:
            raise BadInput(f"give 1 to {APIS_MAX} APIs to compare with, not {len(self.prices)}")
        names = [price.price_id for price in self.prices]
        if len(set(names)) < len(names):
            raise BadInput("an API stands twice: give each once")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer against one API. ``bars`` are the tornado, widest first."""

    price: Price
    break_even: BreakEven
    bars: tuple[Bar, ...]
    bought: MonthlyBill
    local: MonthlyBill
    hybrid: MonthlyBill


@dataclass(frozen=True, slots=True)
class Study:
    question: Question
    answers: tuple[Answer, ...]


def study(question: Question) -> Study:
    return Study(question, tuple(_answer(question, price) for price in question.prices))


def _answer(question: Question, price: Price) -> Answer:
    cluster, demand = question.cluster, question.demand
    value = value_usd_per_mtok(price, question.mix)
    point = Point(
        card_usd=cluster.card.usd,
        theta=cluster.theta,
        price=price,
        mix=question.mix,
        cards=cluster.cards,
        fixed_usd=Decimal(cluster.fixed_nano_per_month) / NANO_PER_USD,
    )
    return Answer(
        price=price,
        break_even=break_even(cluster, value, demand.mean_to_peak),
        bars=tornado(point, question.theta_span),
        bought=all_bought(cluster, demand, value),
        local=all_local(cluster, demand, value),
        hybrid=cheapest(cluster, demand, value),
    )


def question_in_words(question: Question) -> str:
    """The inputs that matter most, in a sentence."""
    cluster, mix, demand = question.cluster, question.mix, question.demand
    return (
        f"{_cards(cluster.cards)} at ${cluster.card.usd:.2f} per hour, {cluster.theta:,.0f} output "
        f"tokens per second each within the SLO; {mix.input_per_output:.3f} input tokens per "
        f"output token, {percent(mix.cache_hit)} of them cached at the API; demand {demand.name}, "
        f"{demand.mtok_per_month:,.0f} M output tokens per month."
    )


def in_words(question: Question, answer: Answer) -> str:
    """What it comes to, in a sentence or two."""
    found, cluster = answer.break_even, question.cluster
    cards = _cards(cluster.cards)
    if found.verdict is BreakEvenVerdict.NEVER:
        return (
            f"Never cheaper than {answer.price.price_id}: full cards would still cost "
            f"{percent(found.utilization)} of it. A card-hour would have to cost at most "
            f"${found.card_usd_at_most:.3f}, or a card to make {found.theta_at_least:,.0f} output "
            f"tok/s within the SLO, or the API to charge ${found.value_usd_at_least:.3f} per M "
            f"output with its input, not ${found.value_usd_per_mtok:.3f}."
        )
    if found.verdict is BreakEvenVerdict.BEYOND_CAPACITY:
        return (
            f"Not with this demand against {answer.price.price_id}: the bills meet at "
            f"{found.bills_meet_mtok:,.0f} M output tokens per month, and {cards} sized for the "
            f"peak serve {found.capacity_mtok:,.0f} M. A flatter demand, a lower fixed cost, or "
            f"buying the peaks would be needed."
        )
    full_mtok = cluster.capacity_mtok_per_month()
    return (  # a fixed cost is in the bills, and not in U*
        f"Breaks even with {answer.price.price_id} at "
        f"{percent(found.bills_meet_mtok / full_mtok)} utilization: "
        f"{found.bills_meet_mtok:,.0f} M output tokens per month on {cards}, which serve up to "
        f"{found.capacity_mtok:,.0f} M of this demand."
    )


def hybrid_in_words(answer: Answer) -> str:
    """Which base load is cheapest for the demand."""
    best = answer.hybrid
    if best.cards == 0:
        return "Cheapest for this demand: own no cards, buy all of it."
    used = "" if best.utilization is None else f", {percent(Decimal(str(best.utilization)))} used"
    bought = (
        f"{best.bought_mtok:,.0f} M output tokens per month at {answer.price.price_id}"
        if best.bought_nano
        else "nothing"
    )
    return f"Cheapest for this demand: own {_cards(best.cards)}{used}, and buy {bought}."


def _cards(count: int) -> str:
    return f"{count} card{'' if count == 1 else 's'}"
