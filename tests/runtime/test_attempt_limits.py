"""Attempts do not bleed: each has its limit, all have one, and no target is asked twice."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from runtime.config import load_config
from runtime.errors import ConfigError
from scheduler.decision import Outcome
from scheduler.pool.circuit_breaker import BreakerState
from tests.runtime.parts import Stack, chat, stack, until
from tests.runtime.vendors import (
    DONE,
    FIRST,
    HANG,
    NAMES,
    ROLE,
    SECOND,
    THIRD,
    Answer,
    Vendor,
    delta,
    event,
    market,
    markets,
    settled,
    streamed,
    two,
    usage,
    vendor,
    whole,
)

GOOD = streamed(ROLE, delta(" river"), delta("", "stop"), usage(8, 1), DONE)
STALLS: dict[str, Answer] = {
    "no head": [HANG],
    "no words": streamed(ROLE, HANG),
    "comments without end": streamed(ROLE, *[b": wait\n\n"] * 2_000),
}
LIMITS_MS = [300, 400, 500]
MARGIN_S = 1.0  # that a busy machine may take beyond the limits
EACH_LONGER = {"stream": {"first_token_ms": LIMITS_MS, "attempts_max": 3}}


async def _sold(exits: AsyncExitStack, *answers: Answer) -> list[Vendor]:
    return [await exits.enter_async_context(vendor(answer)) for answer in answers]


def _breaker(s: Stack, name: str) -> BreakerState:
    views = s.gateway._scheduler.snapshot(time.monotonic()).offers
    return next(view.breaker.state for view in views if view.target.id.startswith(name))


# C7: time


@pytest.mark.parametrize("stall", STALLS)
@pytest.mark.parametrize("stalled", [1, 2])
async def test_c7_each_attempt_has_its_own_limit(tmp_path: Path, stalled: int, stall: str) -> None:
    answers = [*[STALLS[stall]] * stalled, *[GOOD] * (3 - stalled)]
    async with AsyncExitStack() as exits:
        vendors = await _sold(exits, *answers)
        s = await exits.enter_async_context(markets(tmp_path, vendors, EACH_LONGER))
        answer = await s.post(chat(stream=True))
        assert answer.headers["x-baseload-target"].startswith(f"offer:{NAMES[stalled]}")
        assert b"river" in await answer.read()
        await s.idle()
        rows = settled(s)
    assert [len(each.asked) for each in vendors] == [1] * (stalled + 1) + [0] * (2 - stalled)
    waited_ms = [row["e2e_ms"] - row["held_ms"] for row in rows[:-1]]
    for waited, limit in zip(waited_ms, LIMITS_MS, strict=False):
        assert limit <= waited + 1
    allowed_ms = sum(LIMITS_MS[:stalled])
    assert allowed_ms <= rows[-1]["ttft_ms"] <= allowed_ms + MARGIN_S * 1000
    assert [row["outcome"] for row in rows[:-1]] == ["target_failed: upstream_error"] * stalled


async def test_c7_when_all_stall_the_error_comes_after_the_sum_of_the_limits(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as exits:
        vendors = await _sold(exits, *[STALLS["no words"]] * 3)
        s = await exits.enter_async_context(markets(tmp_path, vendors, EACH_LONGER))
        began_s = time.monotonic()
        answer = await s.post(chat(stream=True))
        took_s = time.monotonic() - began_s
        assert (answer.status, answer.headers["x-should-retry"]) == (502, "false")
        await s.idle()
    assert [len(each.asked) for each in vendors] == [1, 1, 1]
    assert sum(LIMITS_MS) / 1000 <= took_s <= sum(LIMITS_MS) / 1000 + MARGIN_S


async def test_the_last_limit_holds_for_all_further_attempts(tmp_path: Path) -> None:
    config = {"stream": {"first_token_ms": [300], "attempts_max": 3}}
    async with AsyncExitStack() as exits:
        vendors = await _sold(exits, [HANG], [HANG], GOOD)
        s = await exits.enter_async_context(markets(tmp_path, vendors, config))
        answer = await s.post(chat(stream=True))
        assert answer.headers["x-baseload-target"].startswith(f"offer:{THIRD}")
        await s.idle()
        assert settled(s)[-1]["ttft_ms"] >= 600


async def test_a_whole_answer_may_take_longer_than_a_first_token(tmp_path: Path) -> None:
    slow = [b"", *[b""] * 150, *whole({"choices": [_message("yes")]})]  # some 300 ms
    config = {"stream": {"first_token_ms": [100]}}
    async with vendor(slow) as first, market(tmp_path, first, None, config) as s:
        answer = await s.post(chat())
        assert answer.status == 200
        await s.idle()


def _message(text: str) -> dict[str, Any]:
    said = {"role": "assistant", "content": text}
    return {"index": 0, "message": said, "finish_reason": "stop"}


@pytest.mark.parametrize("streams", [True, False])
async def test_c7_the_time_of_a_request_holds_over_all_its_attempts(
    tmp_path: Path, streams: bool
) -> None:
    config = {"stream": {"request_ms_max": 600, "first_token_ms": [400], "attempts_max": 3}}
    async with AsyncExitStack() as exits:
        vendors = await _sold(exits, *[STALLS["no head"]] * 3)
        s = await exits.enter_async_context(markets(tmp_path, vendors, config))
        began_s = time.monotonic()
        answer = await s.post(chat(stream=streams))
        took_s = time.monotonic() - began_s
        error = (await answer.json())["error"]
        assert (answer.status, error["code"]) == (504, "deadline_exceeded")
        assert answer.headers["x-should-retry"] == "false"
        await s.idle()
        rows = settled(s)
    assert 0.6 <= took_s <= 0.6 + MARGIN_S
    assert len(vendors[2].asked) == 0
    assert rows[-1]["outcome"].endswith(": deadline_exceeded")


async def test_c7_an_answer_under_way_ends_when_the_time_of_its_request_is_up(
    tmp_path: Path,
) -> None:
    config = {"stream": {"request_ms_max": 500}}
    endless = streamed(ROLE, *[delta(" on")] * 4_000)
    async with vendor(endless) as first, market(tmp_path, first, None, config) as s:
        answer = await s.post(chat(stream=True, max_tokens=4_000))
        body = await answer.read()
        assert b'"code":"deadline_exceeded"' in body
        assert b"[DONE]" not in body
        await s.idle()
        (row,) = settled(s)
        assert _breaker(s, FIRST) is BreakerState.CLOSED
    assert row["outcome"] == "deadline: deadline_exceeded"
    assert row["completion_tokens"] > 0
    assert row["e2e_ms"] >= 500


async def test_c7_the_time_of_a_request_ends_its_wait_in_the_queue_too(tmp_path: Path) -> None:
    async with stack(tmp_path, max_num_seqs=1, config={"stream": {"request_ms_max": 400}}) as s:
        s.replicas[0].engine.turnstile.hold(after_tokens=1)
        has_the_room = await s.post(chat(stream=True), X_Baseload_Deadline=_in_an_hour())
        waits = await s.post(chat(stream=True))
        assert waits.status == 504
        assert (await waits.json())["error"]["code"] == "queue_timeout"
        assert s.in_books() == 1
        s.replicas[0].engine.turnstile.open()
        assert (await has_the_room.read()).endswith(event(DONE))
        await s.idle()


def _in_an_hour() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3_600))


async def test_a_request_of_the_off_peak_lane_has_its_own_deadline(tmp_path: Path) -> None:
    config = {"stream": {"request_ms_max": 200}}
    async with stack(tmp_path, config=config) as s:
        s.replicas[0].engine.turnstile.hold(after_tokens=1)
        answer = await s.post(chat(stream=True), X_Baseload_Deadline=_in_an_hour())
        await asyncio.sleep(0.4)
        s.replicas[0].engine.turnstile.open()
        assert (await answer.read()).endswith(event(DONE))
        await s.idle()


# C8: what it says of a target


async def test_c8_a_target_that_had_too_little_time_has_not_failed(tmp_path: Path) -> None:
    """The first takes all but 200 ms of the request's time: the second had no fair chance."""
    config = {
        "stream": {"request_ms_max": 1_000, "first_token_ms": [800]},
        "circuit_breaker": {"failures": 1, "open_ms": 60_000},
    }
    stall = STALLS["no words"]
    async with two(tmp_path, stall, stall, config) as s:
        answer = await s.post(chat(stream=True))
        assert (await answer.json())["error"]["code"] == "deadline_exceeded"
        await s.idle()
        assert _breaker(s, FIRST) is BreakerState.OPEN
        assert _breaker(s, SECOND) is BreakerState.CLOSED
        outcomes = [row["outcome"].partition(":")[0] for row in settled(s)]
    assert outcomes == [Outcome.TARGET_FAILED, Outcome.DEADLINE]


async def test_c8_a_target_that_says_nothing_in_all_the_time_is_noticed(tmp_path: Path) -> None:
    config = {
        "stream": {"request_ms_max": 300},  # its first token might take 600 s
        "circuit_breaker": {"failures": 2, "open_ms": 60_000},
    }
    async with vendor([HANG]) as first, market(tmp_path, first, None, config) as s:
        for state in (BreakerState.CLOSED, BreakerState.OPEN):
            answer = await s.post(chat(stream=True))
            assert answer.status == 504
            assert _breaker(s, FIRST) is state
        await s.idle()


# C6: how often


@pytest.mark.parametrize("attempts_max", [1, 2, 3])
async def test_c6_so_many_targets_are_asked_and_each_once(
    tmp_path: Path, attempts_max: int
) -> None:
    config = {"stream": {"attempts_max": attempts_max}}
    error = streamed({"error": {"message": "boom", "code": 500}})
    async with AsyncExitStack() as exits:
        vendors = await _sold(exits, error, error, error)
        s = await exits.enter_async_context(markets(tmp_path, vendors, config))
        answer = await s.post(chat(stream=True))
        assert answer.status == 502
        await s.idle()
        assert len(settled(s)) == attempts_max
    asked = [len(each.asked) for each in vendors]
    assert asked == [1] * attempts_max + [0] * (3 - attempts_max)


@pytest.mark.parametrize("attempts_max", [0, 17])
def test_c5_c6_a_bound_that_is_none_is_refused_at_load(attempts_max: int) -> None:
    with pytest.raises(ConfigError, match="attempts_max"):
        load_config({"stream": {"attempts_max": attempts_max}})


async def test_c7_200_requests_at_once_make_no_storm(tmp_path: Path) -> None:
    """Acceptance 5: each request asks each target at most once, and ends in time."""
    config = {"stream": {"request_ms_max": 3_000, "first_token_ms": [300], "attempts_max": 2}}
    async with AsyncExitStack() as exits:
        vendors = await _sold(exits, *[STALLS["no words"]] * 3)
        s = await exits.enter_async_context(markets(tmp_path, vendors, config))
        began_s = time.monotonic()
        answers = await asyncio.gather(
            *(s.post(chat(f"request {number}", stream=True)) for number in range(200))
        )
        took_s = time.monotonic() - began_s
        assert {answer.status for answer in answers} <= {429, 502, 503, 504}
        await until(lambda: s.in_books() == 0, 20)
        await s.idle()
    asked = Counter(
        (vendor.url, body["messages"][0]["content"]) for vendor in vendors for body in vendor.asked
    )
    assert max(asked.values()) == 1
    assert max(Counter(text for _, text in asked).values()) <= 2
    assert took_s <= 3.0 + 5 * MARGIN_S  # 200 clients and three vendors share this process


# C13: candidates that cannot have it


async def test_c13_a_target_with_a_smaller_context_is_passed_over(tmp_path: Path) -> None:
    small = {"name": "tiny-moe", "context_tokens_max": 8}
    terms = ["tiny-moe", small, "tiny-moe"]
    async with AsyncExitStack() as exits:
        vendors = await _sold(exits, streamed({"error": {"message": "boom"}}), GOOD, GOOD)
        s = await exits.enter_async_context(markets(tmp_path, vendors, None, terms=terms))
        answer = await s.post(chat("a prompt that is longer than eight tokens", stream=True))
        assert answer.headers["x-baseload-target"].startswith(f"offer:{THIRD}")
        await s.idle()
    assert [len(each.asked) for each in vendors] == [1, 0, 1]
