"""How many cards to own for a demand when its peaks can be bought.

Of ``n`` replicas the next one is worth its cost while the share of its capacity that the demand
would fill is above U*. That share only falls with n, so the last such replica is found by halving.
With a fixed cost, owning nothing may still be cheaper than the best size: both are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from benchmarks.economics.breakeven import (
    CARDS_MAX,
    Cluster,
    api_bill_nano,
    break_even_utilization,
)
from benchmarks.economics.cost import MTOK_PER_MONTH
from benchmarks.economics.demand import Demand
from benchmarks.economics.input_checks import BadInput
from models.money import NanoUsd

WHOLE_TOKENS = Decimal("0.000001")  # of a million


@dataclass(frozen=True, slots=True)
class MonthlyBill:
    """The bill of one demand with ``cards`` of one's own and the rest bought."""

    cards: int
    local_nano: NanoUsd
    bought_nano: NanoUsd
    bought_mtok: Decimal
    utilization: float | None  # of the own cards; None without any

    @property
    def nano(self) -> NanoUsd:
        return self.local_nano + self.bought_nano


def bill(cluster: Cluster, demand: Demand, value_usd: Decimal, replicas: int) -> MonthlyBill:
    """Served here up to what the replicas can, step by step; bought above."""
    cards = replicas * cluster.cards_per_replica
    capacity = cards * float(cluster.theta)
    over = _mean([max(0.0, rate - capacity) for rate in demand.tok_s])
    mtok = (Decimal(str(over)) * MTOK_PER_MONTH).quantize(WHOLE_TOKENS)
    return MonthlyBill(
        cards=cards,
        local_nano=cluster.bill_nano_per_month(cards),
        bought_nano=api_bill_nano(value_usd, mtok),
        bought_mtok=mtok,
        utilization=(demand.mean_tok_s - over) / capacity if capacity else None,
    )


def replicas_for_peak(cluster: Cluster, demand: Demand) -> int:
    """The least number that has to buy nothing."""
    replica_tok_s = cluster.cards_per_replica * float(cluster.theta)
    count = max(1, ceil(max(demand.tok_s) / replica_tok_s * (1 - 1e-12)))  # a sum's last bits
    if count * cluster.cards_per_replica > CARDS_MAX:
        raise BadInput(f"the demand would need more than {CARDS_MAX} cards: is theta that small?")
    return count


def cheapest(cluster: Cluster, demand: Demand, value_usd: Decimal) -> MonthlyBill:
    """The cheapest base load for this demand; the smallest of equals."""
    threshold = float(break_even_utilization(cluster.card.usd, cluster.theta, value_usd))
    low, high = 0, replicas_for_peak(cluster, demand)
    while low < high:
        middle = (low + high) // 2
        if _used_share(cluster, demand, middle) > threshold:
            low = middle + 1
        else:
            high = middle
    candidates = (bill(cluster, demand, value_usd, count) for count in {0, low})
    return min(candidates, key=lambda each: (each.nano, each.cards))


def all_bought(cluster: Cluster, demand: Demand, value_usd: Decimal) -> MonthlyBill:
    return bill(cluster, demand, value_usd, 0)


def all_local(cluster: Cluster, demand: Demand, value_usd: Decimal) -> MonthlyBill:
    """The bill with as many whole replicas as the peak needs, and no fewer than there are."""
    owned = cluster.cards // cluster.cards_per_replica
    return bill(cluster, demand, value_usd, max(owned, replicas_for_peak(cluster, demand)))


def _used_share(cluster: Cluster, demand: Demand, replicas: int) -> float:
    """Of the replica after ``replicas``: the share of its capacity that the demand fills."""
    size = cluster.cards_per_replica * float(cluster.theta)
    return _mean([min(1.0, max(0.0, rate / size - replicas)) for rate in demand.tok_s])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
