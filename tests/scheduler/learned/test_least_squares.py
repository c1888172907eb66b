from __future__ import annotations

from math import isfinite
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.learned.least_squares import FadingLeastSquares

AMOUNTS = st.floats(0, 1e6)


def test_without_observations_the_prior_stands() -> None:
    assert FadingLeastSquares([3.0, 0.0, 2.0], [1.0, 1.0, 1.0], 0.9).solve() == [3.0, 0.0, 2.0]


@given(st.lists(st.floats(0, 10), min_size=3, max_size=3), st.integers(0, 1_000))
def test_recovers_the_coefficients(true: list[float], seed: int) -> None:
    chance, model = Random(seed), FadingLeastSquares([1.0] * 3, [1e-6] * 3, 0.98)
    for _ in range(200):
        row = [chance.uniform(0, 5) for _ in true]
        model.observe(row, sum(a * b for a, b in zip(row, true, strict=True)), 1.0)
    assert model.solve() == pytest.approx(true, abs=1e-3)


def test_what_was_never_varied_stays_where_the_prior_puts_it() -> None:
    model = FadingLeastSquares([1.0, 7.0], [1e-6, 1e-6], 0.98)
    for n in range(100):
        model.observe((n % 5, 0), 3.0 * (n % 5), 1.0)
    assert model.solve() == pytest.approx([3.0, 7.0], abs=1e-3)


def test_the_past_fades() -> None:
    model = FadingLeastSquares([1.0], [1e-6], 0.9)
    for target in [2.0] * 100 + [5.0] * 100:
        model.observe((1.0,), target, 1.0)
    assert model.solve() == pytest.approx([5.0], abs=1e-3)


def test_weights_weigh() -> None:
    model = FadingLeastSquares([0.0], [1e-9], 1.0)
    model.observe((1.0,), 1.0, 3.0)
    model.observe((1.0,), 5.0, 1.0)
    assert model.solve() == pytest.approx([2.0])


def test_a_negative_coefficient_is_zero_and_the_others_are_solved_again() -> None:
    model = FadingLeastSquares([0.0, 0.0], [1e-9, 1e-9], 1.0)
    for row, target in [((1.0, 0.0), 2.0), ((1.0, 1.0), 1.0), ((1.0, 2.0), 0.0)]:
        model.observe(row, target, 1.0)
    assert model.solve() == pytest.approx([1.0, 0.0])
    alone = FadingLeastSquares([0.0], [1e-9], 1.0)
    alone.observe((1.0,), -4.0, 1.0)
    assert alone.solve() == [0.0]


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS, st.floats(-1e6, 1e6)), max_size=30))
def test_never_below_zero(rows: list[tuple[float, float, float, float]]) -> None:
    model = FadingLeastSquares([0.1, 0.001, 0.0], [0.25, 2_500.0, 0.25], 0.98)
    for *features, target in rows:
        model.observe(features, target, 1.0)
        assert all(isfinite(each) and each >= 0 for each in model.solve())
