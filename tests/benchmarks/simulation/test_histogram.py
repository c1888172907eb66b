from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulation.histogram import LARGEST_MS, RATIO, SMALLEST_MS, Histogram


@given(st.lists(st.floats(0.2, 1e7), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_quantile_is_right_to_one_percent(values: list[float], q: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    exact = sorted(values)[max(1, ceil(q * len(values))) - 1]
    assert histogram.quantile_ms(q) == pytest.approx(exact, rel=RATIO - 1)


def test_nothing_has_no_quantile_and_extremes_are_kept_apart() -> None:
    histogram = Histogram()
    assert histogram.quantile_ms(0.5) is None
    histogram.add(0.0)
    histogram.add(SMALLEST_MS / 2)
    assert histogram.quantile_ms(1.0) == 0.0
    histogram.add(1e300)
    assert histogram.quantile_ms(1.0) == pytest.approx(LARGEST_MS, rel=RATIO - 1)
    assert histogram.count == 3
