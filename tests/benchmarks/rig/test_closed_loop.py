from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from benchmarks.rig.closed_loop import (
    BenchmarkError,
    Load,
    Measured,
    Target,
    measure,
    percentile,
    request_body,
    start_delays_s,
)
from benchmarks.rig.scripted_upstream import HOST, StepClock, frames, listen

EXTRA_CHUNKS = 4  # role, finish reason, usage, [DONE]


@asynccontextmanager
async def upstream(step_ms: float) -> AsyncIterator[Target]:
    clock = StepClock(step_ms / 1000)
    server = await listen(clock, 0)
    stepping = asyncio.create_task(clock.run())
    try:
        yield Target(f"http://{HOST}:{server.sockets[0].getsockname()[1]}/v1", "any")
    finally:
        stepping.cancel()
        server.close()


async def test_counts_whole_answers_exactly() -> None:
    async with upstream(step_ms=0) as target:
        found = await measure(Load((target,), concurrency=3, tokens=7, window_s=0.3, settle_s=0.1))
    assert found.errors == 0
    assert found.answers > 10
    # At each edge of the window at most one answer of each asker is only partly inside.
    assert abs(found.chunks - found.answers * (7 + EXTRA_CHUNKS)) <= 3 * (7 + EXTRA_CHUNKS)
    assert found.req_s == pytest.approx(found.chunks_s / (7 + EXTRA_CHUNKS))


async def test_pace_is_the_step_clocks() -> None:
    async with upstream(step_ms=10) as target:
        found = await measure(Load((target,), concurrency=4, tokens=20, window_s=0.8, settle_s=0.2))
    # 22 steps an answer: one chunk each, three in the last. A busy machine may be slower.
    assert found.chunks_s < 4 * 100 * (24 / 22) * 1.1
    assert found.reads_s < found.chunks_s
    assert found.e2e_ms_p50 >= 205
    assert found.ttft_ms_p50 < found.e2e_ms_p50 / 2


def test_spread_askers_start_one_after_the_other_while_it_settles() -> None:
    load = Load((Target("http://x/v1", "k"),), 4, tokens=1, window_s=1.0, settle_s=2.0)
    assert start_delays_s(load) == [0.0] * 4
    assert start_delays_s(replace(load, spread=True)) == [0.0, 0.5, 1.0, 1.5]


async def test_targets_take_turns() -> None:
    async with upstream(step_ms=1) as works:
        gone = Target("http://127.0.0.1:9/v1", "any")
        load = Load((works, gone), concurrency=1, tokens=5, window_s=0.3, settle_s=0.0)
        found = await measure(load)
    assert abs(found.errors - found.answers) <= 2
    assert "127.0.0.1:9" in (found.first_error or "")


async def test_answer_that_is_too_short_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "benchmarks.rig.scripted_upstream.frames", lambda tokens: frames(tokens - 1)
    )
    async with upstream(step_ms=0) as target:
        with pytest.raises(BenchmarkError, match="not whole"):
            await measure(Load((target,), concurrency=2, tokens=5, window_s=0.2, settle_s=0.0))


async def test_refusal_is_an_error() -> None:
    async with upstream(step_ms=0) as target:
        elsewhere = Target(target.base_url + "/none", "any")
        with pytest.raises(BenchmarkError, match="404"):
            await measure(Load((elsewhere,), concurrency=2, tokens=5, window_s=0.1, settle_s=0.0))


def test_both_ways_are_asked_the_same() -> None:
    body = request_body(64)
    assert body["max_tokens"] == 64
    assert body["ignore_eos"] is True
    assert body["stream_options"] == {"include_usage": True}


def test_frames_are_like_an_engines() -> None:
    made = frames(64)
    assert len(made) == 64 + EXTRA_CHUNKS
    content = [json.loads(frame.removeprefix(b"data: ")) for frame in made[1:65]]
    assert all(each["choices"][0]["delta"]["content"] for each in content)
    assert all(150 <= len(frame) <= 250 for frame in made[1:65])
    assert json.loads(made[-2][6:])["usage"]["completion_tokens"] == 64
    assert made[-1] == b"data: [DONE]\n\n"


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.floats(0, 1))
def test_percentile_is_the_smallest_that_suffices(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    below = [value for value in values if value < found]
    assert not below or len(below) < share * len(values) + 1e-9


def test_a_load_and_its_result_travel_as_json() -> None:
    load = Load((Target("http://x/v1", "k"),), 8, 64, 1.0, watched={"gateway": 7})
    loads = TypeAdapter(Load)
    assert loads.validate_json(loads.dump_json(load)) == load
    assert "k'" not in repr(load)
    result = Measured(
        1, 1.0, 2, 0, None, 2.0, 9, 9.0, 8.0, 1.0, 2.0, 3.0, 0.1, 1.0, {"gateway": 9e-5}
    )
    results = TypeAdapter(Measured)
    assert results.validate_json(results.dump_json(result)) == result
    assert result.cpu_us_per_chunk("gateway") == pytest.approx(10)
