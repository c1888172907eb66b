from __future__ import annotations

from itertools import pairwise

import pytest

from benchmarks.simulation.series import SAMPLES_MAX, Sample, Series


def sample(at_s: float, spend_usd: float = 0.0) -> Sample:
    return Sample(at_s, 0, 0.0, 0.0, 0.0, spend_usd)


def test_a_long_run_is_sampled_less_often_and_evenly() -> None:
    series, at_s = Series(), 0.0
    while at_s < 5 * SAMPLES_MAX:
        series.add(sample(at_s))
        at_s += series.interval_s
    assert len(series.samples) <= SAMPLES_MAX
    times = [each.at_s for each in series.samples]
    assert times[0] == 0.0
    gaps = {later - earlier for earlier, later in pairwise(times)}
    assert gaps == {series.interval_s} == {8.0}


def test_the_rate_of_spending_is_that_since_the_sample_before() -> None:
    series = Series()
    for at_s, spend_usd in ((0.0, 0.0), (1.0, 0.5), (3.0, 0.5), (4.0, 2.0)):
        series.add(sample(at_s, spend_usd))
    rates = [row["spend_usd_per_h"] for row in series.rows()]
    assert rates == pytest.approx([0.0, 1_800.0, 0.0, 5_400.0])
