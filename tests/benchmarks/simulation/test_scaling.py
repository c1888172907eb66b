from __future__ import annotations

from itertools import pairwise
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulation.scaling import Scaling, schedule, span_s

GAPS = st.lists(st.floats(0.01, 50), min_size=2, max_size=80)
SCALINGS: tuple[Scaling, ...] = ("fold", "compress")


def times_of(gaps: list[float]) -> list[float]:
    times = [0.0]
    for gap in gaps:
        times.append(times[-1] + gap)
    return times


def work_for_scale(times_s: list[float], scale: float) -> float:
    """The engine seconds per second that ``scale`` times the trace brings, at 1 s a request."""
    return scale * len(times_s) / span_s(times_s)


@given(GAPS, st.floats(1, 30), st.sampled_from(SCALINGS))
def test_every_row_is_used_once_in_order_and_the_load_is_exact(
    gaps: list[float], scale: float, scaling: Scaling
) -> None:
    times_s = times_of(gaps)
    plan = schedule(times_s, [1.0] * len(times_s), work_for_scale(times_s, scale), scaling, 1)
    assert plan.scale == pytest.approx(scale)
    assert sorted(index for index, _ in plan.arrivals) == list(range(len(times_s)))
    arrivals = [at_s for _, at_s in plan.arrivals]
    assert arrivals == sorted(arrivals)
    assert min(arrivals) >= 0
    assert max(arrivals) <= plan.duration_s * (1 + 1e-9)
    assert len(times_s) / plan.duration_s == pytest.approx(work_for_scale(times_s, scale))


@given(GAPS, st.floats(1, 30))
def test_folding_keeps_the_distances_within_each_whole_slice(
    gaps: list[float], scale: float
) -> None:
    times_s = times_of(gaps)
    plan = schedule(times_s, [1.0] * len(times_s), work_for_scale(times_s, scale), "fold", 1)
    arrival_s = dict(plan.arrivals)
    slices = [min(floor(at_s / plan.duration_s), floor(plan.scale)) for at_s in times_s]
    for (row, slice_of_row), (after, slice_of_after) in pairwise(enumerate(slices)):
        if slice_of_row == slice_of_after < floor(plan.scale):
            distance = arrival_s[after] - arrival_s[row]
            assert distance == pytest.approx(times_s[after] - times_s[row], abs=1e-6)


def test_a_part_of_a_slice_is_spread_over_the_whole_run() -> None:
    times_s = [float(t) for t in range(1000)]
    plan = schedule(times_s, [1.0] * 1000, 1.5, "fold", 1)
    assert plan.duration_s == pytest.approx(1000 / 1.5)
    first_half = sum(at_s < plan.duration_s / 2 for _, at_s in plan.arrivals)
    assert first_half == pytest.approx(500, abs=2)


def test_below_one_folding_leaves_rows_out_and_keeps_the_times_of_the_rest() -> None:
    times_s = [float(t) for t in range(1000)]
    work_s = [1.0 + index % 7 for index in range(1000)]
    plan = schedule(times_s, work_s, 1.2, "fold", seed=1)
    assert plan.scale == pytest.approx(1.2 * 1000 / sum(work_s))
    assert plan.duration_s == 1000
    assert all(at_s == times_s[index] for index, at_s in plan.arrivals)
    assert 1.2 <= sum(work_s[index] for index, _ in plan.arrivals) / 1000 < 1.2 + 7 / 1000
    assert plan == schedule(times_s, work_s, 1.2, "fold", seed=1)
    assert plan != schedule(times_s, work_s, 1.2, "fold", seed=2)


def test_a_burst_shrinks_relative_to_the_mean_when_folded_and_not_when_compressed() -> None:
    quiet = [float(t) for t in range(1000)]
    burst = [500 + t / 10 for t in range(200)]
    times_s = sorted(quiet + burst)
    peaks = {}
    for scaling in SCALINGS:
        plan = schedule(times_s, [1.0] * 1200, 10 * 1.2, scaling, 1)
        windows = [0] * 51
        for _, at_s in plan.arrivals:
            windows[int(at_s / plan.duration_s * 50)] += 1
        peaks[scaling] = max(windows) / (1200 / 50)
    assert peaks["compress"] > 7
    assert peaks["fold"] < 3


def test_what_cannot_be_scaled_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two"):
        schedule([0.0], [1.0], 1.0, "fold", 1)
    with pytest.raises(ValueError, match="different times"):
        schedule([0.0, 0.0], [1.0, 1.0], 1.0, "compress", 1)
    with pytest.raises(ValueError, match="unknown scaling"):
        schedule([0.0, 1.0], [1.0, 1.0], 1.0, "stretch", 1)  # type: ignore[arg-type]
