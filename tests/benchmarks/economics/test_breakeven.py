from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.economics.breakeven import (
    BreakEvenVerdict,
    Cluster,
    api_bill_nano,
    break_even,
    break_even_mtok,
    break_even_utilization,
)
from benchmarks.economics.cost import card_hour, usd_per_mtok_output
from benchmarks.economics.input_checks import BadInput
from tests.benchmarks.economics.example import cluster

POSITIVE = st.decimals("0.01", "1000", places=2)
ONE = Decimal(1)


def test_the_plain_question() -> None:
    found = break_even(cluster(), Decimal("0.98"), ONE)
    assert float(found.utilization) == pytest.approx(0.5288, rel=1e-3)
    assert float(found.bills_meet_mtok) == pytest.approx(95_347, rel=1e-5)
    assert found.mtok_per_month == found.bills_meet_mtok
    assert float(found.capacity_mtok) == pytest.approx(180_302, rel=1e-5)
    assert found.verdict is BreakEvenVerdict.BREAKS_EVEN


@pytest.mark.parametrize(
    ("theta", "value", "at_160", "at_235", "at_350"),
    [
        ("791", "0.70", 0.80, 1.18, 1.76),
        ("791", "1.305", 0.43, 0.63, 0.94),
        ("791", "1.50", 0.37, 0.55, 0.82),
        ("171", "2.66", 0.98, 1.44, 2.14),
    ],
)
def test_the_worked_utilizations(
    theta: str, value: str, at_160: float, at_235: float, at_350: float
) -> None:
    for card_usd, published in (("1.60", at_160), ("2.35", at_235), ("3.50", at_350)):
        found = break_even(cluster(card_usd, 8, theta), Decimal(value), ONE)
        assert float(found.utilization) == pytest.approx(published, abs=0.006)
        assert (found.verdict is BreakEvenVerdict.NEVER) == (published > 1)


@pytest.mark.parametrize(
    ("value", "b_on_8", "b_on_16", "b_on_64"),
    [
        ("1.80", 6.5, 13.0, 51.9),
        ("0.98", 11.9, 23.8, 95.3),
        ("0.56", 20.9, 41.7, 167),
        ("3.70", 3.2, 6.3, 25.3),
        ("12.5", 0.93, 1.9, 7.5),
        ("35", 0.33, 0.67, 2.7),
    ],
)
def test_the_worked_volumes(value: str, b_on_8: float, b_on_16: float, b_on_64: float) -> None:
    for cards, published in ((8, b_on_8), (16, b_on_16), (64, b_on_64)):
        mtok = break_even_mtok(cards, Decimal(2), Decimal(value))
        assert float(mtok) / 1000 == pytest.approx(published, rel=0.02)


def test_never_has_no_volume_and_says_what_would_have_to_be_true() -> None:
    own = cluster("2.35", 8, "791")
    found = break_even(own, Decimal("0.70"), ONE)
    assert found.verdict is BreakEvenVerdict.NEVER
    assert found.mtok_per_month is None
    for card_usd, theta, value in (
        (found.card_usd_at_most, own.theta, Decimal("0.70")),
        (own.card.usd, found.theta_at_least, Decimal("0.70")),
        (own.card.usd, own.theta, found.value_usd_at_least),
    ):
        assert float(break_even_utilization(card_usd, theta, value)) == pytest.approx(1)


def test_a_peaky_demand_or_a_fixed_cost_can_put_it_out_of_reach() -> None:
    value = Decimal("0.98")
    peaky = break_even(cluster(), value, Decimal("0.5"))
    assert (peaky.verdict, peaky.mtok_per_month) == (BreakEvenVerdict.BEYOND_CAPACITY, None)
    assert break_even(cluster(), value, Decimal("0.53")).verdict is BreakEvenVerdict.BREAKS_EVEN
    staffed = break_even(cluster(fixed_usd=100_000), value, ONE)
    assert staffed.verdict is BreakEvenVerdict.BEYOND_CAPACITY
    assert float(staffed.bills_meet_mtok) == pytest.approx((93_440 + 100_000) / 0.98)


@given(POSITIVE, POSITIVE, POSITIVE)
def test_at_the_break_even_a_token_costs_what_it_is_worth(
    card: Decimal, theta: Decimal, value: Decimal
) -> None:
    used = break_even_utilization(card, theta, value)
    if 0 < used <= 1:
        assert float(usd_per_mtok_output(card, theta, used)) == pytest.approx(float(value))


@given(st.integers(1, 500), POSITIVE, POSITIVE, st.integers(0, 10**6))
def test_at_the_break_even_both_bills_are_the_same(
    cards: int, card_usd: Decimal, value: Decimal, fixed_usd: int
) -> None:
    own = cluster(str(card_usd), cards, per_replica=1, fixed_usd=fixed_usd)
    mtok = break_even(own, value, ONE).bills_meet_mtok
    bill = own.bill_nano_per_month(cards)
    assert api_bill_nano(value, mtok) == pytest.approx(bill, abs=1)


def test_no_cards_cost_nothing() -> None:
    own = cluster(fixed_usd=500)
    assert own.bill_nano_per_month(0) == 0
    assert own.bill_nano_per_month(8) == (8 * 2 * 730 + 500) * 10**9


@pytest.mark.parametrize(
    ("cards", "theta", "per_replica", "fixed", "says"),
    [
        (0, "1", 1, 0, "cards 0"),
        (8, "0", 8, 0, "theta 0: must be above 0"),
        (8, "1", 0, 0, "cards per replica"),
        (12, "1", 8, 0, "no whole number of replicas"),
        (8, "1", 8, -1, "cannot be negative"),
    ],
)
def test_a_cluster_that_cannot_be_is_refused(
    cards: int, theta: str, per_replica: int, fixed: int, says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        Cluster(card_hour({"rent": "2"}), cards, Decimal(theta), per_replica, fixed)
