"""Where cards of one's own cost as much as an API, and whether they can ever get there.

U* = C / (0.0036 * theta * V) is the utilization at which a token costs the same on both sides.
Above 1 the answer is never: even full cards cost more. The volume at which the two bills meet
counts only while the cards can serve it, with a demand whose peak is above its mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from benchmarks.economics.cost import (
    HOURS_PER_MONTH,
    MTOK_PER_HOUR,
    MTOK_PER_MONTH,
    CardHour,
    nano_up,
)
from benchmarks.economics.input_checks import BadInput, above_zero, share, whole
from models.money import NANO_PER_USD, NanoUsd

CARDS_MAX = 1_000_000


class BreakEvenVerdict(StrEnum):
    BREAKS_EVEN = "breaks_even"
    NEVER = "never"
    BEYOND_CAPACITY = "beyond_capacity"  # the bills meet where these cards cannot serve


@dataclass(frozen=True, slots=True)
class Cluster:
    """Cards of one's own. ``theta`` is the output tok/s of one card within the SLO at the mix
    that is asked about, with every card counted, those that only read prompts included.
    """

    card: CardHour
    cards: int
    theta: Decimal
    cards_per_replica: int
    fixed_nano_per_month: NanoUsd = 0

    def __post_init__(self) -> None:
        whole("cards", self.cards, CARDS_MAX)
        whole("cards per replica", self.cards_per_replica, CARDS_MAX)
        above_zero("theta", self.theta)
        if self.cards % self.cards_per_replica:
            raise BadInput(
                f"{self.cards} cards are no whole number of replicas of {self.cards_per_replica}: "
                "change one of them"
            )
        if self.fixed_nano_per_month < 0:
            raise BadInput("the fixed cost per month cannot be negative")

    def bill_nano_per_month(self, cards: int) -> NanoUsd:
        """The month's bill of ``cards`` cards, in nano-USD; without any there is nothing to pay,
        the fixed cost included."""
        if cards == 0:
            return 0
        return cards * self.card.nano_usd * HOURS_PER_MONTH + self.fixed_nano_per_month

    def capacity_mtok_per_month(self, mean_to_peak: Decimal = Decimal(1)) -> Decimal:
        """M output tokens that all cards serve when the peak of the demand just fits."""
        return self.cards * self.theta * MTOK_PER_MONTH * share("mean to peak", mean_to_peak)


@dataclass(frozen=True, slots=True)
class BreakEven:
    """``mtok_per_month`` is None where it is not reached; ``bills_meet_mtok`` is where it would
    be if the cards had no limit. The other three are what would have to be true, each alone,
    for full cards to match the API.
    """

    value_usd_per_mtok: Decimal
    utilization: Decimal
    mtok_per_month: Decimal | None
    bills_meet_mtok: Decimal
    capacity_mtok: Decimal
    verdict: BreakEvenVerdict
    card_usd_at_most: Decimal
    theta_at_least: Decimal
    value_usd_at_least: Decimal


def break_even_utilization(card_usd: Decimal, theta: Decimal, value_usd: Decimal) -> Decimal:
    return card_usd / (MTOK_PER_HOUR * theta * value_usd)


def break_even_mtok(
    cards: int, card_usd: Decimal, value_usd: Decimal, fixed_usd: Decimal = Decimal(0)
) -> Decimal:
    """M output tokens per month at which both bills are the same."""
    return (HOURS_PER_MONTH * cards * card_usd + fixed_usd) / value_usd


def break_even(cluster: Cluster, value_usd: Decimal, mean_to_peak: Decimal) -> BreakEven:
    card_usd = cluster.card.usd
    utilization = break_even_utilization(card_usd, cluster.theta, value_usd)
    fixed_usd = Decimal(cluster.fixed_nano_per_month) / NANO_PER_USD
    bills_meet = break_even_mtok(cluster.cards, card_usd, value_usd, fixed_usd)
    capacity = cluster.capacity_mtok_per_month(mean_to_peak)
    if utilization > 1:
        verdict = BreakEvenVerdict.NEVER
    else:
        verdict = (
            BreakEvenVerdict.BREAKS_EVEN
            if bills_meet <= capacity
            else BreakEvenVerdict.BEYOND_CAPACITY
        )
    return BreakEven(
        value_usd_per_mtok=value_usd,
        utilization=utilization,
        mtok_per_month=bills_meet if verdict is BreakEvenVerdict.BREAKS_EVEN else None,
        bills_meet_mtok=bills_meet,
        capacity_mtok=capacity,
        verdict=verdict,
        card_usd_at_most=MTOK_PER_HOUR * cluster.theta * value_usd,
        theta_at_least=card_usd / (MTOK_PER_HOUR * value_usd),
        value_usd_at_least=value_usd * utilization,
    )


def api_bill_nano(value_usd: Decimal, mtok: Decimal) -> NanoUsd:
    """The API's bill for M output tokens with their input, in nano-USD, rounded up once."""
    return nano_up(value_usd * mtok)
