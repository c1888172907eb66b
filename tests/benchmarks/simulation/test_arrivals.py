from __future__ import annotations

from itertools import pairwise
from statistics import mean, median, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulation.arrivals import ArrivalKind, Lengths, repeated, synthetic_rows
from benchmarks.simulation.traces import TraceRow

KINDS: tuple[ArrivalKind, ...] = ("poisson", "gamma", "diurnal")
COUNT = 20_000


def gaps_s(rows: list[TraceRow]) -> list[float]:
    return [after.at_s - row.at_s for row, after in pairwise(rows)]


@given(st.sampled_from(KINDS), st.integers(1, 200), st.floats(1e-3, 1e3), st.integers())
def test_rows_are_in_order_repeatable_and_within_bounds(
    kind: ArrivalKind, count: int, rate_per_s: float, seed: int
) -> None:
    lengths = Lengths(prompt_max=500, output_max=50)
    rows = synthetic_rows(kind, count, rate_per_s, seed, lengths=lengths)
    assert rows == synthetic_rows(kind, count, rate_per_s, seed, lengths=lengths)
    assert len(rows) == count
    assert rows[0].at_s == 0
    assert min(gaps_s(rows), default=0) >= 0
    assert all(1 <= row.prompt_tokens <= 500 and 1 <= row.output_tokens <= 50 for row in rows)


@pytest.mark.parametrize(("kind", "variation"), [("poisson", 1.0), ("gamma", 3.0), ("gamma", 0.2)])
def test_gaps_have_the_mean_and_the_variation_asked_for(
    kind: ArrivalKind, variation: float
) -> None:
    gaps = gaps_s(synthetic_rows(kind, COUNT, 5.0, 1, variation=variation))
    assert mean(gaps) == pytest.approx(0.2, rel=0.08)
    assert pstdev(gaps) / mean(gaps) == pytest.approx(variation, rel=0.08)


def test_a_day_rises_and_falls_around_its_mean() -> None:
    rows = synthetic_rows("diurnal", COUNT, 10.0, 1, day_s=COUNT / 20, swing=0.8)
    day_s = COUNT / 20
    by_quarter = [0, 0, 0, 0]
    for row in rows:
        by_quarter[int(row.at_s % day_s / day_s * 4)] += 1
    # The mean of a sine over its first half is 2 / pi.
    busy = (by_quarter[0] + by_quarter[1]) / len(rows)
    assert busy == pytest.approx(0.5 + 0.8 / 3.1416, abs=0.02)
    assert rows[-1].at_s == pytest.approx(COUNT / 10, rel=0.03)


def test_lengths_have_the_median_asked_for_and_a_stream_of_their_own() -> None:
    lengths = Lengths(prompt_median=700, output_median=90)
    poisson = synthetic_rows("poisson", COUNT, 5.0, 3, lengths=lengths)
    assert median(row.prompt_tokens for row in poisson) == pytest.approx(700, rel=0.03)
    assert median(row.output_tokens for row in poisson) == pytest.approx(90, rel=0.03)
    gamma = synthetic_rows("gamma", COUNT, 5.0, 3, lengths=lengths)
    assert [row.prompt_tokens for row in poisson] == [row.prompt_tokens for row in gamma]


def test_another_seed_gives_other_rows() -> None:
    assert synthetic_rows("poisson", 50, 1.0, 1) != synthetic_rows("poisson", 50, 1.0, 2)


def test_each_run_of_repeated_rows_begins_elsewhere_and_shares_no_prefix_with_another() -> None:
    rows = [TraceRow(0.0, 10, 1, (1, 2)), TraceRow(4.0, 20, 2, (1, 3)), TraceRow(6.0, 30, 3)]
    twice = repeated(rows, 2)
    assert twice[:3] == rows
    # The second run begins at the third row, 5.6 s into the span of 9, and goes once around.
    assert [row.at_s for row in twice[3:]] == [9.0, 12.0, 16.0]
    assert [row.prompt_tokens for row in twice[3:]] == [30, 10, 20]
    assert twice[4].blocks[0] == twice[5].blocks[0]
    first, second = ({b for row in run for b in row.blocks} for run in (twice[:3], twice[3:]))
    assert len(second) == 3
    assert not first & second


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"count": 0}, "rows"),
        ({"count": 10**9}, "rows"),
        ({"rate_per_s": 0.0}, "rate_per_s"),
        ({"rate_per_s": float("nan")}, "rate_per_s"),
        ({"variation": 0.0}, "variation"),
        ({"variation": float("inf")}, "variation"),
        ({"swing": 1.1}, "swing"),
        ({"day_s": -1.0}, "day_s"),
        ({"kind": "weekly"}, "unknown arrivals"),
    ],
)
def test_arrivals_that_make_no_sense_are_refused(options: dict[str, object], what: str) -> None:
    arguments = {"kind": "gamma", "count": 10, "rate_per_s": 1.0, "seed": 1} | options
    with pytest.raises(ValueError, match=what):
        synthetic_rows(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "lengths", [{"prompt_median": 0.0}, {"output_sigma": float("nan")}, {"prompt_max": 0}]
)
def test_lengths_that_make_no_sense_are_refused(lengths: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"length|median"):
        Lengths(**lengths)  # type: ignore[arg-type]


def test_too_many_repetitions_are_refused() -> None:
    with pytest.raises(ValueError, match="repeat"):
        repeated([TraceRow(0.0, 1, 1)], 10**9)
    with pytest.raises(ValueError, match="repeat"):
        repeated([TraceRow(0.0, 1, 1)], 0)
