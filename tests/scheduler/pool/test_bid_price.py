from __future__ import annotations

from math import exp, expm1, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.pool.bid_price import (
    BUCKETS_PER_OCTAVE,
    FULL_PRICE_AT,
    STEEPNESS,
    UPDATE_S,
    WINDOW_S_MIN,
    BidPrice,
    DemandCurve,
)
from scheduler.settings import Settings, SpillSettings

SETTINGS = Settings(spill=SpillSettings(demand_window_ms=10_000, hysteresis_ms=2_000))
STEP = 2 ** (1.01 / BUCKETS_PER_OCTAVE)  # a bucket is hardly so wide
DEMAND = st.lists(st.tuples(st.floats(1, 1e9), st.floats(0.01, 2)), min_size=1, max_size=30)


def bid_with(demand: list[tuple[float, float]], capacity: float, seconds: float = 40.0) -> BidPrice:
    """After ``seconds`` in which this demand, value_nano_per_s and work per second, came evenly."""
    bid = BidPrice(SETTINGS)
    for n in range(int(seconds / UPDATE_S)):
        for value_nano_per_s, work_s in demand:
            bid.add(value_nano_per_s, work_s * UPDATE_S, n * UPDATE_S)
        bid.update(capacity, 0.5, n * UPDATE_S)
    return bid


def test_nothing_asked_for_costs_nothing() -> None:
    assert DemandCurve(10.0).price_at(1.0, 5.0) == 0.0


@given(DEMAND, st.integers(1, 60))
def test_what_fits_costs_nothing(demand: list[tuple[float, float]], seconds: int) -> None:
    """From the first seconds on, not only when the window has filled."""
    work_s = sum(work_s for _, work_s in demand)
    assert bid_with(demand, (1.05 + 1 / seconds) * work_s, seconds).price == 0.0


@given(DEMAND, st.floats(0.1, 0.9))
def test_the_price_is_read_where_capacity_ends(
    demand: list[tuple[float, float]], share: float
) -> None:
    total = sum(work_s for _, work_s in demand)
    price = bid_with(demand, share * total).price
    above = sum(work_s for value_nano_per_s, work_s in demand if value_nano_per_s > price * STEP)
    from_here = sum(
        work_s for value_nano_per_s, work_s in demand if value_nano_per_s >= price / STEP
    )
    assert above <= 1.03 * share * total
    assert from_here >= 0.97 * share * total


def test_a_known_curve() -> None:
    demand = [(100.0, 0.5), (1_000.0, 0.5), (10_000.0, 0.5)]
    assert bid_with(demand, 0.25).price == pytest.approx(10_000, rel=0.1)
    assert bid_with(demand, 0.75).price == pytest.approx(1_000, rel=0.1)
    assert bid_with(demand, 1.25).price == pytest.approx(100, rel=0.1)


def test_pinned_demand_counts_first() -> None:
    demand = [(100.0, 0.5), (10_000.0, 0.5)]
    assert bid_with(demand, 1.1).price == 0.0
    assert bid_with([*demand, (inf, 0.5)], 1.1).price == pytest.approx(100, rel=0.1)
    assert bid_with([*demand, (inf, 0.5)], 0.4).price > 1e15  # nothing else fits


def test_values_beyond_the_scale_count_at_its_ends() -> None:
    assert 1 <= bid_with([(0.0, 1.0), (0.5, 1.0)], 1.0).price < 2
    assert 2**59 < bid_with([(1e300, 2.0)], 1.0).price <= 2**60


def test_demand_fades_with_the_window() -> None:
    """Three times too much fades to what fits within ln 3 windows."""
    bid = bid_with([(100.0, 3.0)], 1.0, seconds=100.0)
    prices = []
    for second in range(101, 121):
        bid.update(1.0, 0.5, float(second))
        prices.append(bid.price)
    assert prices == sorted(prices, reverse=True)
    assert (prices[9] > 0.0, prices[11]) == (True, 0.0)
    assert exp(-1.0) > 1 / 3 > exp(-1.2)


@pytest.mark.parametrize(("occupancy", "share"), [(0.0, 0.0), (FULL_PRICE_AT, 1.0), (1.0, 1.0)])
def test_the_charge_reaches_the_price_before_the_pool_is_full(
    occupancy: float, share: float
) -> None:
    bid = bid_with([(100.0, 3.0)], 1.0)
    bid.occupy(occupancy)
    assert bid.admission_price == pytest.approx(share * bid.price)
    assert bid.occupancy == occupancy


@given(st.floats(0, FULL_PRICE_AT), st.floats(0, 1))
def test_the_charge_rises_with_occupancy(one: float, other: float) -> None:
    bid, prices = BidPrice(SETTINGS), []
    bid.price = 1_000.0
    for occupancy in sorted((one, other)):
        bid.occupy(occupancy)
        prices.append(bid.admission_price)
    assert prices == sorted(prices)
    bid.occupy(one)
    full = expm1(STEEPNESS * FULL_PRICE_AT)
    assert bid.admission_price == pytest.approx(1_000 * expm1(STEEPNESS * one) / full)


def test_the_floor_needs_a_history() -> None:
    """A price that has not held for the hysteresis sends nobody away at once."""
    bid, low_waters = BidPrice(SETTINGS), []
    for n in range(10):
        bid.add(100.0, 4.0, n * UPDATE_S)
        bid.update(0.5, 1.0, n * UPDATE_S)
        low_waters.append(bid.low_water_price)
    assert low_waters[:7] == [0.0] * 7
    assert low_waters[7] > 0.0
    bid.update(99.0, 1.0, 10 * UPDATE_S)
    assert (bid.price, bid.low_water_price) == (0.0, 0.0)


def test_between_updates_only_the_occupancy_is_new() -> None:
    bid = bid_with([(100.0, 3.0)], 1.0)
    price = bid.price
    bid.update(99.0, 0.0, 40.0 - UPDATE_S / 2)
    assert (bid.price, bid.admission_price) == (price, 0.0)


def test_a_few_first_requests_are_no_trend() -> None:
    """Half an engine second within the first tenth of a second is no five engines' demand."""
    curve = DemandCurve(10.0)
    curve.add(100.0, 0.5 * WINDOW_S_MIN, 0.0)
    assert curve.price_at(1.0, 0.1) == 0.0
    curve.add(100.0, WINDOW_S_MIN, 0.1)
    assert curve.price_at(1.0, 0.1) > 0.0
