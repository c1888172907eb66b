"""A rival beside a target that is slow to speak: the first to speak wins, both are booked."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.fault_script import Script
from scheduler.pool.circuit_breaker import BreakerState
from tests.runtime.parts import MODEL, Stack, chat, stack, until
from tests.runtime.raw_vendors import http
from tests.runtime.vendors import (
    DONE,
    FIRST,
    HANG,
    NAMES,
    PROMPT_NANO,
    ROLE,
    SECOND,
    Answer,
    Vendor,
    delta,
    event,
    markets,
    settled,
    streamed,
    usage,
    vendor,
)

GOOD = streamed(ROLE, delta(" river"), delta("", "stop"), usage(8, 1), DONE)
MUTE = streamed(ROLE, HANG)
HEDGED = {"stream": {"hedge_after_ms": 150, "attempts_max": 3}}


def _after(waits: int, *told: Any) -> Answer:
    """Speaks after so many times 2 ms at least."""
    return streamed(*[b": wait\n\n"] * waits, *told)


async def _sold(
    exits: AsyncExitStack, tmp_path: Path, config: Any, *answers: Answer
) -> tuple[Stack, list[Vendor]]:
    vendors = [await exits.enter_async_context(vendor(answer)) for answer in answers]
    return await exits.enter_async_context(markets(tmp_path, vendors, config)), vendors


def _states(s: Stack) -> dict[str, BreakerState]:
    views = s.gateway._scheduler.snapshot(s.gateway.clock.monotonic_s()).offers
    return {view.target.id.partition("/")[0]: view.breaker.state for view in views}


def _outcomes(s: Stack) -> list[tuple[str, str]]:
    return [(row["target"].split("/")[0], row["outcome"]) for row in settled(s)]


async def test_c9_the_rival_speaks_first_and_the_loser_is_booked_at_its_own_price(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as exits:
        s, vendors = await _sold(exits, tmp_path, HEDGED, MUTE, GOOD)
        answer = await s.post(chat(stream=True))
        assert answer.headers["x-baseload-target"].startswith(f"offer:{SECOND}")
        assert answer.headers["x-baseload-reason"] == "hedge"
        body = await answer.read()
        assert body == b"".join(map(event, [ROLE, delta(" river"), delta("", "stop"), DONE]))
        await s.idle()
        lost, won = settled(s)
        assert _outcomes(s) == [
            (f"offer:{FIRST}", "hedge_lost"),
            (f"offer:{SECOND}", "ok"),
        ]
        assert set(_states(s).values()) == {BreakerState.CLOSED}
        assert s.row().attempts == 2
    assert [len(each.asked) for each in vendors] == [1, 1]
    assert (lost["ending"], won["ending"]) == ("settle", "settle")
    _is_estimated(lost, FIRST, PROMPT_NANO)
    assert lost["completion_tokens"] is None
    assert won["cost_nano_usd"] == 2 * (8 * PROMPT_NANO + 2_000)  # the second costs twice as much
    assert lost["e2e_ms"] <= won["ttft_ms"] + 1_000


def _is_estimated(lost: dict[str, Any], name: str, prompt_token_nano: int) -> None:
    """Its prompt, at its own price; what it may have generated is in doubt up to the bound."""
    assert lost["cost_nano_usd"] % prompt_token_nano == 0
    assert 0 < lost["cost_nano_usd"] < lost["bound_nano_usd"]
    assert (lost["price_id"], lost["usage_source"]) == (f"{name}/{MODEL}", "none")
    assert "tokens estimated" in lost["derivation"]


async def test_who_speaks_in_time_has_no_rival(tmp_path: Path) -> None:
    config = {"stream": {"hedge_after_ms": 3_000}}
    async with AsyncExitStack() as exits:
        s, vendors = await _sold(exits, tmp_path, config, GOOD, GOOD)
        answer = await s.post(chat(stream=True))
        assert b"river" in await answer.read()
        await s.idle()
        assert _outcomes(s) == [(f"offer:{FIRST}", "ok")]
    assert not vendors[1].asked


async def test_by_default_nobody_has_a_rival(tmp_path: Path) -> None:
    config = {"stream": {"first_token_ms_max": 400}}
    async with AsyncExitStack() as exits:
        s, _ = await _sold(exits, tmp_path, config, MUTE, GOOD)
        answer = await s.post(chat(stream=True))
        assert answer.headers["x-baseload-reason"] == "retry"
        await s.idle()
        assert _outcomes(s)[0] == (f"offer:{FIRST}", "target_failed: upstream_error")


async def test_c9_the_first_may_still_win(tmp_path: Path) -> None:
    late = _after(150, ROLE, delta(" river"), delta("", "stop"), usage(8, 1), DONE)
    async with AsyncExitStack() as exits:
        s, vendors = await _sold(exits, tmp_path, HEDGED, late, MUTE)
        answer = await s.post(chat(stream=True))
        assert answer.headers["x-baseload-target"].startswith(f"offer:{FIRST}")
        assert b"river" in await answer.read()
        await s.idle()
        lost = settled(s)[1]
        assert _outcomes(s) == [
            (f"offer:{FIRST}", "ok"),
            (f"offer:{SECOND}", "hedge_lost"),
        ]
    assert len(vendors[1].asked) == 1
    _is_estimated(lost, SECOND, 2 * PROMPT_NANO)
    assert lost["reason"] == "hedge"


async def test_a_rival_that_fails_leaves_the_first_its_time(tmp_path: Path) -> None:
    late = _after(200, ROLE, delta(" river"), delta("", "stop"), usage(8, 1), DONE)
    async with AsyncExitStack() as exits:
        s, _ = await _sold(exits, tmp_path, HEDGED, late, [http(500)])
        answer = await s.post(chat(stream=True))
        assert answer.headers["x-baseload-target"].startswith(f"offer:{FIRST}")
        await answer.read()
        await s.idle()
        assert [outcome for _, outcome in _outcomes(s)] == ["ok", "target_failed: upstream_error"]


async def test_a_first_that_fails_leaves_the_rival_its_time(tmp_path: Path) -> None:
    fails = _after(150, {"error": {"message": "boom", "code": 500}})
    late = _after(200, *[ROLE, delta(" river"), delta("", "stop"), usage(8, 1), DONE])
    async with AsyncExitStack() as exits:
        s, _ = await _sold(exits, tmp_path, HEDGED, fails, late)
        answer = await s.post(chat(stream=True))
        assert answer.headers["x-baseload-target"].startswith(f"offer:{SECOND}")
        await answer.read()
        await s.idle()
        assert [outcome for _, outcome in _outcomes(s)] == ["target_failed: upstream_error", "ok"]


async def test_c6_rivals_count_as_attempts(tmp_path: Path) -> None:
    error = _after(200, {"error": {"message": "boom", "code": 500}})
    config = {"stream": {"hedge_after_ms": 100, "attempts_max": 2}}
    async with AsyncExitStack() as exits:
        s, vendors = await _sold(exits, tmp_path, config, error, error, GOOD)
        answer = await s.post(chat(stream=True))
        assert answer.status == 502
        await s.idle()
    assert [len(each.asked) for each in vendors] == [1, 1, 0]


async def test_after_both_have_failed_the_next_is_asked(tmp_path: Path) -> None:
    error = _after(150, {"error": {"message": "boom", "code": 500}})
    async with AsyncExitStack() as exits:
        s, vendors = await _sold(exits, tmp_path, HEDGED, error, error, GOOD)
        answer = await s.post(chat(stream=True))
        assert answer.headers["x-baseload-target"].startswith("offer:third")
        await answer.read()
        await s.idle()
    assert [len(each.asked) for each in vendors] == [1, 1, 1]


async def test_c12_a_refusal_of_the_request_ends_the_rival_too(tmp_path: Path) -> None:
    refuses = _after(150, {"error": {"message": "not this", "code": "content_filter"}})
    async with AsyncExitStack() as exits:
        s, _ = await _sold(exits, tmp_path, HEDGED, refuses, MUTE)
        answer = await s.post(chat(stream=True))
        assert (answer.status, (await answer.json())["error"]["code"]) == (400, "content_filter")
        await s.idle()
        assert [outcome for _, outcome in _outcomes(s)] == [
            "client_error: content_filter",
            "hedge_lost",
        ]


async def test_a_client_that_leaves_ends_both(tmp_path: Path) -> None:
    async with AsyncExitStack() as exits:
        s, vendors = await _sold(exits, tmp_path, HEDGED, MUTE, MUTE)
        asking = asyncio.ensure_future(s.post(chat(stream=True)))
        await until(lambda: len(vendors[1].asked) == 1)
        asking.cancel()
        await until(lambda: s.in_books() == 0)
        await s.idle()
        assert [outcome for _, outcome in _outcomes(s)] == ["client_left", "client_left"]


async def test_c8_a_loser_that_was_silent_for_long_has_failed(tmp_path: Path) -> None:
    """It had half of the time that it may have for its first words."""
    config = {
        "stream": {"hedge_after_ms": 300, "first_token_ms": [500, 5_000]},
        "circuit_breaker": {"failures": 1, "open_ms": 60_000},
    }
    async with AsyncExitStack() as exits:
        s, _ = await _sold(exits, tmp_path, config, MUTE, GOOD)
        await (await s.post(chat(stream=True))).read()
        await s.idle()
        assert _outcomes(s)[0] == (f"offer:{FIRST}", "target_failed: hedge_lost")
        assert _states(s) == {FIRST: BreakerState.OPEN, SECOND: BreakerState.CLOSED}


async def test_nobody_queues_for_a_rival(tmp_path: Path) -> None:
    """The one replica is full, the other silent: a rival would have to wait."""
    config = {"stream": {"hedge_after_ms": 100}}
    scripts = [Script(), Script()]
    async with stack(tmp_path, scripts=scripts, max_num_seqs=1, config=config) as s:
        for replica, tokens in zip(s.replicas, (1, 0), strict=True):
            replica.engine.turnstile.hold(after_tokens=tokens)
        speaks = await s.post(chat(stream=True))
        silent = asyncio.ensure_future(s.post(chat(stream=True)))
        await until(lambda: s.asked == 2)
        await asyncio.sleep(0.4)
        assert s.in_books() == 2
        for replica in s.replicas:
            replica.engine.turnstile.open()
        for answer in (speaks, await silent):
            assert (await answer.read()).endswith(event(DONE))
        await s.idle()
        assert s.asked == 2


async def test_a_rival_that_would_have_to_wait_is_none(tmp_path: Path) -> None:
    """Nobody queues twice: where nothing else has room, the first has all the time."""
    late = _after(150, ROLE, delta(" river"), delta("", "stop"), usage(8, 1), DONE)
    async with AsyncExitStack() as exits:
        s, _ = await _sold(exits, tmp_path, HEDGED, late)
        answer = await s.post(chat(stream=True))
        assert b"river" in await answer.read()
        await s.idle()
        assert _outcomes(s) == [(f"offer:{FIRST}", "ok")]


@pytest.mark.parametrize("seed", range(2))
async def test_c9_whatever_happens_every_attempt_is_booked_once(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    answers = [
        GOOD,
        MUTE,
        [http(500)],
        _after(60, {"error": {"message": "boom", "code": 500}}),
        _after(60, ROLE, delta(" river"), delta("", "stop"), usage(8, 1), DONE),
    ]
    config = {
        "stream": {"hedge_after_ms": 60, "first_token_ms": [300], "attempts_max": 3},
        "circuit_breaker": {"failures": 1_000},
        "queue": {"wait_ms_max": 500},
    }
    async with AsyncExitStack() as exits:
        vendors = [
            await exits.enter_async_context(vendor(*chance.choices(answers, k=60))) for _ in NAMES
        ]
        s = await exits.enter_async_context(markets(tmp_path, vendors, config))
        asked = [asyncio.ensure_future(s.post(chat(f"no {n}", stream=True))) for n in range(40)]
        for leaver in chance.sample(asked, 5):
            await asyncio.sleep(0.03)
            leaver.cancel()
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            if not isinstance(answer, BaseException):
                await answer.read()
        await until(lambda: s.in_books() == 0, 20)
        await s.idle()
        assert max(row.attempts for row in s.rows()) <= 3
    for each in vendors:
        texts = [body["messages"][0]["content"] for body in each.asked]
        assert len(set(texts)) == len(texts)  # nobody asks a target twice
