"""Load reports: raw values, running averages, and nobody misses the last change."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.engine.load_meter import HEARTBEAT_S, REPORT_INTERVAL_S, LoadMeter
from runtime.wire.load_report import encode_load
from tests.runtime.virtual_time import now_s, run_in_virtual_time


def _busy(meter: LoadMeter, running: int = 1) -> None:
    meter.on_state(running=running, waiting=0, kv_usage=0.25, hit_tokens=3)


def test_a_report_holds_the_latest_values() -> None:
    meter = LoadMeter()
    meter.waiting_prefill_tokens = lambda: 77
    meter.on_step(1.0, prompt_tokens=100, output_tokens=2, preempted=1, first_step_s=0.5)
    meter.on_state(running=2, waiting=1, kv_usage=0.5, hit_tokens=10)
    assert json.loads(encode_load(meter.load(1000))) == {
        "running": 2,
        "waiting": 1,
        "kv_tokens_used": 500,
        "waiting_prefill_tokens": 77,
        "prefill_tok_s": 200,
        "decode_step_s": None,
        "preemptions": 1,
        "prefix_hit_tokens": 10,
        "busy_s": 0.5,
        "steps": 1,
        "prefilled_tokens": 100,
        "decoded_tokens": 2,
    }


def test_rates_are_running_averages_of_steps() -> None:
    meter = LoadMeter()
    _busy(meter)
    meter.on_step(1.0, prompt_tokens=100, output_tokens=0, preempted=0)
    meter.on_step(1.5, prompt_tokens=100, output_tokens=1, preempted=0)
    assert meter.prefill_tok_s == pytest.approx(200)
    meter.on_step(1.6, prompt_tokens=0, output_tokens=1, preempted=0)
    assert meter.decode_step_s == pytest.approx(0.1)
    meter.on_step(1.8, prompt_tokens=0, output_tokens=1, preempted=0)
    assert meter.decode_step_s == pytest.approx(0.1 + 0.1 * (0.2 - 0.1))


def test_idleness_is_not_a_slow_step() -> None:
    meter = LoadMeter()
    meter.on_step(1.0, prompt_tokens=0, output_tokens=1, preempted=0)
    _busy(meter)
    meter.on_step(1.1, prompt_tokens=0, output_tokens=1, preempted=0)
    _busy(meter, running=0)
    assert meter.is_idle
    meter.on_step(90.0, prompt_tokens=7, output_tokens=1, preempted=0)
    assert meter.decode_step_s == pytest.approx(0.1)
    assert meter.prefill_tok_s is None


Step = tuple[float, int, int, bool, bool]
STEPS = st.lists(
    st.tuples(
        st.floats(0.001, 2), st.integers(0, 500), st.integers(0, 9), st.booleans(), st.booleans()
    )
)


@given(STEPS)
def test_busy_seconds_are_those_of_the_steps_and_tokens_that_are_counted(steps: list[Step]) -> None:
    """Each step has its tokens; is the last before a pause; and has told when it began."""
    meter, now, idle = LoadMeter(), 0.0, True
    told: list[tuple[float, int, int]] = []
    for step_s, prompt, output, is_last, is_timed in steps:
        now += step_s + (1_000 if idle else 0)
        first_step_s = step_s if idle and is_timed else None
        if not idle or is_timed:
            told.append((step_s, prompt, output))
        assert meter.is_idle == idle
        meter.on_step(
            now,
            prompt_tokens=prompt,
            output_tokens=output,
            preempted=0,
            first_step_s=first_step_s,
        )
        _busy(meter, running=0 if is_last else 1)
        idle = is_last
    assert meter.busy_s == pytest.approx(sum(each[0] for each in told), abs=1e-6)
    assert meter.steps == len(told)
    assert meter.prefilled_tokens == sum(each[1] for each in told)
    assert meter.decoded_tokens == sum(each[2] for each in told)
    assert meter.prompt_tokens == sum(each[1] for each in steps)  # progress counts them all


def test_two_steps_at_one_moment_are_no_rate() -> None:
    meter = LoadMeter()
    _busy(meter)
    meter.on_step(1.0, prompt_tokens=5, output_tokens=0, preempted=0)
    meter.on_step(1.0, prompt_tokens=5, output_tokens=0, preempted=0)
    assert meter.prefill_tok_s is None


async def _running(reports: AsyncIterator[bytes]) -> int:
    line = await anext(reports)
    assert line.endswith(b"\n")
    return int(json.loads(line)["running"])


def test_a_change_during_the_pause_is_told_right_after_it() -> None:
    async def told() -> None:
        meter = LoadMeter()
        reports = [meter.subscribe(10) for _ in range(3)]
        assert [await _running(each) for each in reports] == [0, 0, 0]
        waiting = [asyncio.ensure_future(_running(each)) for each in reports]
        await asyncio.sleep(REPORT_INTERVAL_S / 2)
        meter.on_step(1.0, prompt_tokens=0, output_tokens=1, preempted=0)
        _busy(meter, running=4)
        assert await asyncio.gather(*waiting) == [4, 4, 4]
        assert now_s() == pytest.approx(REPORT_INTERVAL_S)

    run_in_virtual_time(told())


def test_reports_keep_a_distance_and_a_heartbeat() -> None:
    async def told() -> None:
        meter = LoadMeter()
        reports = meter.subscribe(10)
        await _running(reports)
        _busy(meter)
        await _running(reports)
        assert now_s() == pytest.approx(REPORT_INTERVAL_S)
        await _running(reports)
        assert now_s() == pytest.approx(2 * REPORT_INTERVAL_S + HEARTBEAT_S)
        await _running(reports)
        assert now_s() == pytest.approx(3 * REPORT_INTERVAL_S + 2 * HEARTBEAT_S)

    run_in_virtual_time(told())
