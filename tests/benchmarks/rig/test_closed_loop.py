from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load.replay import Player
from benchmarks.load.worker_processes import Played
from benchmarks.rig.child import Child
from benchmarks.rig.closed_loop import ClosedLoop, Measured, endpoint, measured, run_apart
from benchmarks.rig.common import BenchmarkError, Target, percentile
from benchmarks.rig.scripted_upstream import HOST, READY_LINE, StepClock, frames, listen

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


async def measure(load: ClosedLoop) -> Measured:
    """In this process, so that its upstream may be in it."""
    player = Player(replace(load.plan(), start_s=time.monotonic()))
    health = await player.play()
    return measured(load, Played(player.taken(), [health], player.messages))


async def test_counts_whole_answers_exactly() -> None:
    async with upstream(step_ms=0) as target:
        found = await measure(
            ClosedLoop((target,), concurrency=3, tokens=7, window_s=0.3, settle_s=0.1)
        )
    assert found.errors == 0
    assert found.answers > 10
    # At each edge of the window at most one answer of each asker is only partly inside.
    assert abs(found.chunks - found.answers * (7 + EXTRA_CHUNKS)) <= 3 * (7 + EXTRA_CHUNKS)
    assert found.req_s == pytest.approx(found.chunks_s / (7 + EXTRA_CHUNKS))


async def test_pace_is_the_step_clocks() -> None:
    async with upstream(step_ms=10) as target:
        found = await measure(
            ClosedLoop((target,), concurrency=4, tokens=20, window_s=0.8, settle_s=0.2)
        )
    # 22 steps an answer: one chunk each, three in the last. A busy machine may be slower.
    assert found.chunks_s < 4 * 100 * (24 / 22) * 1.1
    assert found.reads_s < found.chunks_s
    assert found.e2e_ms_p50 >= 205
    assert found.ttft_ms_p50 < found.e2e_ms_p50 / 2


def test_spread_askers_start_one_after_the_other_while_it_settles() -> None:
    load = ClosedLoop((Target("http://x/v1", "k"),), 4, tokens=1, window_s=1.0, settle_s=2.0)
    assert load.plan().spread_s == 0.0
    assert replace(load, spread=True).plan().spread_s == 2.0


async def test_targets_take_turns() -> None:
    async with upstream(step_ms=1) as works:
        gone = Target("http://127.0.0.1:9/v1", "any")
        load = ClosedLoop((works, gone), concurrency=1, tokens=5, window_s=0.3, settle_s=0.0)
        found = await measure(load)
    assert abs(found.errors - found.answers) <= 2
    assert "127.0.0.1:9" in (found.first_error or "")


async def test_answer_that_is_too_short_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "benchmarks.rig.scripted_upstream.frames", lambda tokens: frames(tokens - 1)
    )
    async with upstream(step_ms=0) as target:
        with pytest.raises(BenchmarkError, match="not whole"):
            await measure(
                ClosedLoop((target,), concurrency=2, tokens=5, window_s=0.2, settle_s=0.0)
            )


async def test_refusal_is_an_error() -> None:
    async with upstream(step_ms=0) as target:
        elsewhere = Target(target.base_url + "/none", "any")
        with pytest.raises(BenchmarkError, match="404"):
            await measure(
                ClosedLoop((elsewhere,), concurrency=2, tokens=5, window_s=0.1, settle_s=0.0)
            )


def test_both_ways_are_asked_the_same() -> None:
    plan = ClosedLoop((Target("http://x/v1", "k"), Target("http://y/v1", "l")), 8, 64, 1.0).plan()
    first, second = (json.loads(each.body(plan.prompt, 64)) for each in plan.endpoints)
    assert first == second
    body = first
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


def test_a_load_is_played_in_a_process_of_its_own() -> None:
    """The upstream's process is watched; the client's CPU is not in it."""
    argv = [sys.executable, "-m", "benchmarks.rig.scripted_upstream", "--step-ms", "5"]
    with Child(argv, READY_LINE) as child:
        target = Target(child.wait_ready().removeprefix(READY_LINE), "k")
        watched = {"upstream": child.pid}
        load = ClosedLoop(
            (target,), 4, 16, window_s=0.6, settle_s=0.2, spread=True, watched=watched
        )
        found = run_apart(load)
    assert (found.concurrency, found.errors, found.first_error) == (4, 0, None)
    assert found.window_s == pytest.approx(0.6, abs=0.2)
    assert found.answers > 4
    assert 0 <= found.cpu_s["upstream"] <= found.machine_cpu_s
    per_chunk_us = found.cpu_s["upstream"] * 1e6 / found.chunks
    assert found.cpu_us_per_chunk("upstream") == pytest.approx(per_chunk_us)
    assert "k'" not in repr(load)
    assert "secret" not in repr(endpoint(replace(target, key="secret")))


def test_a_process_that_cannot_be_watched_is_no_measurement() -> None:
    gone = ClosedLoop(
        (Target("http://127.0.0.1:9/v1", "k"),), 1, 1, 0.1, 0.1, watched={"gone": 2**22}
    )
    with pytest.raises(BenchmarkError, match="died"):
        run_apart(gone)
