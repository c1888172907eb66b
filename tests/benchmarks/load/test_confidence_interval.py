from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from benchmarks.load.confidence_interval import Interval, over_runs

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=10)


@given(VALUES)
def test_the_interval_is_students(values: list[float]) -> None:
    found = over_runs(values)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    n = len(values)
    mean = sum(values) / n
    error = (sum((value - mean) ** 2 for value in values) / (n - 1) / n) ** 0.5
    low, high = t.interval(0.95, n - 1, mean, error) if error else (mean, mean)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-6, abs=1e-6)


def test_of_one_run_or_none() -> None:
    assert over_runs([3.0, None]) == Interval(3.0, None, None)
    assert over_runs([None]) is None
