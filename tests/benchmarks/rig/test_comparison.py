from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.rig.closed_loop import Measured
from benchmarks.rig.comparison import METRICS, Pair, compare, contrast, direct_first

CELL = Measured(
    concurrency=8,
    window_s=5.0,
    answers=100,
    errors=0,
    first_error=None,
    req_s=20.0,
    chunks=1000,
    chunks_s=200.0,
    reads_s=190.0,
    ttft_ms_p50=5.0,
    ttft_ms_p99=9.0,
    e2e_ms_p50=100.0,
    client_cpu_share=0.1,
    machine_cpu_s=2.0,
    cpu_s={"scheduler": 0.02, "haproxy": 0.01},
)


def test_ratios_are_taken_within_a_pair() -> None:
    # The machine halves its speed after the first pair; the overhead stays one fifth.
    found = contrast([(100.0, 80.0), (50.0, 40.0), (50.0, 40.0)])
    assert found.ratio == pytest.approx(0.8)
    assert (found.direct, found.baseload) == (50.0, 40.0)
    assert found.difference == -10.0


@given(
    st.lists(st.floats(1, 1e4), min_size=1, max_size=9),
    st.floats(0.1, 10),
)
def test_constant_ratio_survives_any_drift(speeds: list[float], ratio: float) -> None:
    found = contrast([(speed, speed * ratio) for speed in speeds])
    assert [found.ratio, found.ratio_min, found.ratio_max] == pytest.approx([ratio] * 3)


def test_range_of_the_pairs_is_shown() -> None:
    found = contrast([(10.0, 7.0), (10.0, 9.0), (10.0, 8.0)])
    assert (found.ratio_min, found.ratio, found.ratio_max) == pytest.approx((0.7, 0.8, 0.9))


def test_order_alternates() -> None:
    assert [direct_first(i) for i in range(4)] == [True, False, True, False]


def test_compare_reads_every_metric_and_both_sides() -> None:
    through = replace(
        CELL,
        req_s=18.0,
        ttft_ms_p50=8.0,
        ttft_ms_p99=18.0,
        e2e_ms_p50=110.0,
        errors=2,
        cpu_s={"scheduler": 0.03, "haproxy": 0.01},
    )
    found = compare([Pair(replace(CELL, errors=1), through)] * 3)
    assert found.concurrency == 8
    assert set(found.contrasts) == set(METRICS)
    assert found.contrasts["req_s"].ratio == pytest.approx(0.9)
    assert found.contrasts["ttft_ms_p50"].difference == pytest.approx(3.0)
    assert found.contrasts["ttft_ms_p99"].ratio == pytest.approx(2.0)
    assert found.contrasts["e2e_ms_p50"].difference == pytest.approx(10.0)
    assert found.cpu_us_per_chunk == pytest.approx({"scheduler": 30.0, "haproxy": 10.0})
    assert found.errors == 9
