from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from statistics import fmean, stdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load.endpoint import BadLoad
from benchmarks.load.schedule import SHARED_BLOCK, Traffic
from benchmarks.simulation.traces import TraceRow

ROWS = tuple(TraceRow(0.5 * n, 1000 + n, 50 + n, (n // 2,)) for n in range(8))


@given(st.sampled_from(["poisson", "gamma", "fixed"]), st.floats(0.5, 50), st.floats(1, 20))
def test_as_many_requests_as_the_rate_says(kind: Any, rate: float, lasting_s: float) -> None:
    asks = Traffic(kind, rate).asks(lasting_s)
    assert len(asks) == max(1, round(rate * lasting_s))
    times = [ask.at_s for ask in asks]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] < lasting_s


def test_the_last_of_a_burst_still_comes_before_the_end() -> None:
    """The last gap of this draw is too small to see."""
    asks = Traffic("gamma", 45.3).asks(1.2)
    assert asks[-2].at_s < asks[-1].at_s < 1.2


def test_one_seed_is_one_pattern_at_every_rate() -> None:
    slow, fast = Traffic("poisson", 5.0).asks(20.0), Traffic("poisson", 10.0).asks(10.0)
    assert [ask.at_s for ask in slow] == pytest.approx([2 * ask.at_s for ask in fast])
    other = Traffic("poisson", 5.0, seed=1).asks(20.0)
    assert [ask.at_s for ask in slow] != [ask.at_s for ask in other]


def test_gamma_comes_in_bursts_and_fixed_does_not() -> None:
    def variation(kind: Any) -> float:
        times = [ask.at_s for ask in Traffic(kind, 50.0, variation=3.0).asks(100.0)]
        gaps = [b - a for a, b in pairwise(times)]
        return stdev(gaps) / fmean(gaps)

    assert variation("fixed") < 1e-6
    assert variation("poisson") == pytest.approx(1, abs=0.1)
    assert variation("gamma") > 2


def test_a_trace_is_replayed_at_its_own_times_or_at_a_rate() -> None:
    own = Traffic("trace", rows=ROWS)
    assert own.own_rate_per_s() == 2.0
    assert [ask.at_s for ask in own.asks(2.0)] == [0.0, 0.5, 1.0, 1.5]
    assert [ask.at_s for ask in replace(own, rate_per_s=4.0).asks(1.0)] == [0.0, 0.25, 0.5, 0.75]
    assert [ask.prompt_tokens for ask in own.asks(1.0)] == [1000, 1001]


def test_a_trace_that_is_too_short_is_repeated_with_prefixes_of_its_own() -> None:
    asks = Traffic("trace", rows=ROWS).asks(8.0)
    assert len(asks) == 16
    assert {ask.number for ask in asks} == set(range(16))
    assert not {a.blocks for a in asks[:8]} & {a.blocks for a in asks[8:]}


def test_lengths_can_be_scaled_to_a_smaller_model() -> None:
    traffic = Traffic("trace", rows=ROWS, length_scale=0.1)
    assert [(a.prompt_tokens, a.output_tokens) for a in traffic.asks(1.0)] == [(100, 5), (100, 5)]
    assert traffic.block_tokens == 51


def test_lengths_of_a_trace_at_other_times() -> None:
    asks = Traffic("fixed", 4.0, rows=ROWS).asks(4.0)
    assert [ask.output_tokens for ask in asks] == [50 + n % 8 for n in range(16)]


def test_a_closed_loop_has_lengths_and_no_times() -> None:
    assert len(Traffic("closed", concurrency=4, rows=ROWS).asks(10.0)) == 8
    (ask,) = Traffic("closed", concurrency=4, input_tokens=9).asks(10.0)
    assert ask.prompt_tokens == 9


def test_a_shared_prefix_is_a_block() -> None:
    traffic = Traffic("fixed", 1.0, prefix_tokens=100)
    assert traffic.block_tokens == 100
    assert traffic.asks(2.0)[1].blocks == (SHARED_BLOCK,)
    assert Traffic("fixed", 1.0).asks(2.0)[1].blocks == ()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"arrivals": "poisson"}, "give --rate"),
        ({"arrivals": "poisson", "rate_per_s": 0.0}, "--rate 0"),
        ({"arrivals": "poisson", "rate_per_s": float("nan")}, "--rate nan"),
        ({"arrivals": "closed"}, "give --concurrency"),
        ({"arrivals": "closed", "concurrency": 0}, "--concurrency 0"),
        ({"arrivals": "closed", "concurrency": 1, "rate_per_s": 1.0}, "leave out --rate"),
        ({"arrivals": "trace"}, "give a --trace"),
        ({"arrivals": "gamma", "rate_per_s": 1.0, "variation": 0.0}, "--variation"),
        ({"arrivals": "fixed", "rate_per_s": 1.0, "input_tokens": 0}, "--input"),
        ({"arrivals": "fixed", "rate_per_s": 1.0, "output_tokens": 0}, "--output"),
        ({"arrivals": "fixed", "rate_per_s": 1.0, "prefix_tokens": 513}, "--prefix"),
        ({"arrivals": "trace", "rows": ROWS, "length_scale": 0.0}, "--length-scale"),
    ],
)
def test_what_makes_no_sense_is_refused(given: Any, says: str) -> None:
    with pytest.raises(BadLoad, match=says):
        Traffic(**given)


def test_a_run_is_bounded() -> None:
    with pytest.raises(BadLoad, match="lower --rate"):
        Traffic("poisson", 90_000.0).asks(3600.0)
    with pytest.raises(BadLoad, match="too short"):
        Traffic("trace", rows=ROWS, rate_per_s=50_000.0).asks(3600.0)
