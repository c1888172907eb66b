from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest

from benchmarks.economics import hybrid
from benchmarks.economics.breakeven import Cluster
from benchmarks.economics.demand import Demand, day_curve, flat
from benchmarks.economics.hybrid import (
    all_bought,
    all_local,
    cheapest,
)
from benchmarks.economics.input_checks import BadInput
from tests.benchmarks.economics.example import cluster

CURVES = 20


def drawn(seed: int) -> tuple[Cluster, Demand, Decimal]:
    """A cluster, a demand and an API's value, such that every kind of answer comes up."""
    random = Random(seed)
    own = cluster(
        card_usd=f"{random.uniform(0.5, 4):.2f}",
        cards=8,
        theta=f"{random.uniform(50, 2000):.1f}",
        per_replica=random.choice([1, 2, 4, 8]),
        fixed_usd=random.choice([0, 0, 3_000]),
    )
    steps = random.choice([24, 60, 168])
    base = random.uniform(0, 3) * 8 * float(own.theta)
    rates = tuple(base * random.lognormvariate(0, random.uniform(0, 1.5)) for _ in range(steps))
    return own, Demand("drawn", rates), Decimal(f"{random.uniform(0.2, 5):.2f}")


def brute_force(own: Cluster, demand: Demand, value: Decimal) -> tuple[float, int]:
    """(USD per month, cards) of the cheapest size, by trying all: nothing of the code is used."""
    card_usd, theta = float(own.card.usd), float(own.theta)
    found = []
    for replicas in range(int(max(demand.tok_s) / (own.cards_per_replica * theta)) + 2):
        cards = replicas * own.cards_per_replica
        fixed_usd = own.fixed_nano_per_month / 1e9 if cards else 0
        over_tok_s = sum(max(0, rate - cards * theta) for rate in demand.tok_s) / len(demand.tok_s)
        bought_usd = over_tok_s * 730 * 3600 / 1e6 * float(value)
        found.append((730 * cards * card_usd + fixed_usd + bought_usd, cards))
    return min(found)


@pytest.mark.parametrize("seed", range(CURVES))
def test_no_size_is_cheaper(seed: int) -> None:
    own, demand, value = drawn(seed)
    best = cheapest(own, demand, value)
    usd, cards = brute_force(own, demand, value)
    assert best.nano / 1e9 == pytest.approx(usd, rel=1e-9, abs=1e-5)  # whole tokens
    assert best.cards == cards


def test_the_drawn_curves_have_every_kind_of_answer() -> None:
    found = [(cheapest(*drawn(seed)), drawn(seed)) for seed in range(CURVES)]
    assert any(best.cards == 0 for best, _ in found)
    assert any(best.cards and best.bought_nano for best, _ in found)
    assert any(own.fixed_nano_per_month for _, (own, _, _) in found)
    assert any(best.cards > own.cards_per_replica for best, (own, _, _) in found)


def test_cards_come_in_whole_replicas() -> None:
    for seed in range(CURVES):
        own, demand, value = drawn(seed)
        assert cheapest(own, demand, value).cards % own.cards_per_replica == 0


def test_never_means_own_nothing() -> None:
    own = cluster("2.35", 8, "791")
    best = cheapest(own, day_curve().scaled(Decimal(100_000)), Decimal("0.70"))
    assert (best.cards, best.local_nano, best.utilization) == (0, 0, None)
    assert best == all_bought(own, day_curve().scaled(Decimal(100_000)), Decimal("0.70"))


def test_a_flat_demand_that_fills_its_cards_is_served_here() -> None:
    own = cluster()
    demand = flat().scaled(own.capacity_mtok_per_month())
    best = cheapest(own, demand, Decimal("0.98"))
    assert best == all_local(own, demand, Decimal("0.98"))
    assert (best.cards, best.bought_nano) == (64, 0)
    assert best.utilization == pytest.approx(1)


def test_a_fixed_cost_can_make_owning_nothing_the_cheapest() -> None:
    demand = flat().scaled(Decimal(20_000))
    assert cheapest(cluster(), demand, Decimal("0.98")).cards > 0
    assert cheapest(cluster(fixed_usd=50_000), demand, Decimal("0.98")).cards == 0


def test_all_local_keeps_what_there_is_and_buys_nothing() -> None:
    own = cluster()
    small = all_local(own, flat().scaled(Decimal(100)), Decimal(1))
    large = all_local(own, flat().scaled(own.capacity_mtok_per_month() * 2), Decimal(1))
    assert (small.cards, large.cards) == (64, 128)
    assert small.bought_nano == large.bought_nano == 0


def test_every_token_is_served_once() -> None:
    for seed in range(CURVES):
        own, demand, value = drawn(seed)
        best = cheapest(own, demand, value)
        served = (best.utilization or 0) * best.cards * float(own.theta) * 2.628
        assert served + float(best.bought_mtok) == pytest.approx(float(demand.mtok_per_month))


def test_a_demand_beyond_all_cards_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hybrid, "CARDS_MAX", 64)
    own = cluster()
    with pytest.raises(BadInput, match="more than 64 cards"):
        all_local(own, flat().scaled(own.capacity_mtok_per_month() * 2), Decimal(1))
