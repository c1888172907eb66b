from __future__ import annotations

from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.peers.confidence import SAMPLES_MIN, ratio_bounds, with_bounds

shares = st.lists(st.floats(0.05, 2.0), min_size=SAMPLES_MIN, max_size=12)


def bounds(ours: list[float], theirs: list[float]) -> tuple[float, float]:
    found = ratio_bounds(ours, theirs)
    assert found is not None
    return found


def width(ours: list[float], theirs: list[float]) -> float:
    low, high = bounds(ours, theirs)
    return high - low


def evenly(count: int) -> list[float]:
    """From 0.8 to 1."""
    return [0.8 + 0.2 * i / (count - 1) for i in range(count)]


@given(shares, shares)
def test_the_ratio_lies_within(ours: list[float], theirs: list[float]) -> None:
    low, high = bounds(ours, theirs)
    value = median(ours) / median(theirs)
    assert low <= value * (1 + 1e-9)
    assert high >= value * (1 - 1e-9)


def test_bounds_are_as_by_hand() -> None:
    # A resample's median is the least of three with a chance of 7 in 27: above the 2.5 % of a side.
    assert bounds([1.0, 2.0, 3.0], [1.0] * 4) == (1.0, 3.0)
    # Of seven, the least is it with 1.0 %, one of the least two with 10.8 %.
    seven = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert bounds(seven, [2.0] * 3) == (1.0, 3.0)
    assert bounds([12.0] * 3, seven) == pytest.approx((2.0, 6.0))


def test_what_does_not_scatter_is_sure() -> None:
    assert bounds([0.9] * 3, [1.0] * 5) == pytest.approx((0.9, 0.9))


@pytest.mark.parametrize(("few", "many"), [(3, 12), (5, 20), (12, 48)])
def test_more_samples_of_one_spread_are_surer(few: int, many: int) -> None:
    assert width(evenly(many), evenly(many)) < 0.8 * width(evenly(few), evenly(few))


@given(shares, shares, st.randoms(use_true_random=False))
def test_the_same_samples_give_the_same_whatever_their_order(
    ours: list[float], theirs: list[float], random: Random
) -> None:
    before = bounds(ours, theirs)
    random.shuffle(ours)
    random.shuffle(theirs)
    assert bounds(ours, theirs) == before


@pytest.mark.parametrize(("ours", "theirs"), [(2, 12), (12, 2), (0, 0), (3, 0)])
def test_of_too_few_samples_nothing_is_said(ours: int, theirs: int) -> None:
    assert ratio_bounds([1.0] * ours, [1.0] * theirs) is None


def test_bounds_are_written_where_there_are_any() -> None:
    assert with_bounds(0.92, 0.874, 0.966) == "0.92 (0.87 to 0.97)"
    assert with_bounds(0.92, None, None) == "0.92"
