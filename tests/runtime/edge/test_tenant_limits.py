"""A tenant's limits at the real edge: refused before any work, and given back however it ends."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from runtime.edge.auth import hash_key
from runtime.request_limits import refusals
from scheduler.tenant_limits import _Use
from tests.runtime.hand import Hand
from tests.runtime.parts import KEY, Stack, chat, routing_of, stack, until

SLOW = "[fault:slow] hello"


def config(**limits: int) -> dict[str, Any]:
    return {"tenants": {"acme": {"key_sha256": [hash_key(KEY)], **limits}}}


def limited(
    tmp_path: Path, hand: Hand | None = None, /, **limits: int
) -> AbstractAsyncContextManager[Stack]:
    return stack(tmp_path, config=config(**limits), clock=(hand or Hand()).clock)


def use_of(s: Stack) -> _Use:
    (use,) = s.edge.tenant_limiter._uses.values()
    return use


async def refused(answer: aiohttp.ClientResponse, limit: str) -> dict[str, Any]:
    """A 429 in OpenAI's envelope."""
    error: dict[str, Any] = (await answer.json())["error"]
    assert answer.status == 429, error
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == ("rate_limit_error", "tenant_limit_reached")
    assert limit in error["message"]
    return error


def left(answer: aiohttp.ClientResponse, what: str = "requests") -> int:
    return int(answer.headers[f"x-ratelimit-remaining-{what}"])


async def test_requests_per_minute(tmp_path: Path) -> None:
    hand = Hand()
    async with limited(tmp_path, hand, requests_per_min_max=2) as s:
        for remaining in (1, 0):
            answer = await s.post(chat())
            assert (answer.status, left(answer)) == (200, remaining)
            assert answer.headers["x-ratelimit-limit-requests"] == "2"
            hand.move(s, 10)
        before = s.asked, len(s.rows()), refusals["tenants.requests_per_min_max"]
        answer = await s.post("no request at all")  # nobody looks into it
        error = await refused(answer, "2 requests per minute")
        wait_s = int(answer.headers["retry-after"])
        assert 40 < wait_s <= 42
        assert f"{wait_s} s" in error["message"]
        assert answer.headers["x-ratelimit-remaining-requests"] == "0"
        assert answer.headers["x-ratelimit-reset-requests"] in ("51s", "52s")
        assert "x-ratelimit-limit-tokens" not in answer.headers
        assert "x-should-retry" not in answer.headers
        after = s.asked, len(s.rows()), refusals["tenants.requests_per_min_max"]
        assert after == (before[0], before[1], before[2] + 1)
        hand.move(s, wait_s)
        assert (await s.post(chat())).status == 200


@pytest.mark.parametrize("limit", ["requests_per_min_max", "in_flight_max"])
async def test_of_many_at_once_no_more_than_the_limit_pass(tmp_path: Path, limit: str) -> None:
    async with limited(tmp_path, **{limit: 5}) as s:
        gate = s.replicas[0].engine.turnstile
        gate.hold()
        asking = [asyncio.create_task(s.post(chat())) for _ in range(40)]
        await until(lambda: sum(each.done() for each in asking) == 35)
        assert all((each.result()).status == 429 for each in asking if each.done())
        gate.open()
        statuses = [(await each).status for each in asking]
        assert (statuses.count(200), statuses.count(429)) == (5, 35)
        await s.idle()
        use = use_of(s)
        await until(lambda: use.in_flight == 0)
        assert use.minute.requests.total == 5


async def test_who_has_no_limits_is_told_of_none(tmp_path: Path) -> None:
    async with stack(tmp_path) as s:
        answer = await s.post(chat())
        assert answer.status == 200
        assert not [name for name in answer.headers if "ratelimit" in name.lower()]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (chat(colour="red"), 400),
        (chat(model="gpt-9"), 404),
        (chat("word " * 8_000), 400),
        (chat("[fault:reject]"), 400),
    ],
)
async def test_what_others_refuse_costs_nothing(tmp_path: Path, body: Any, status: int) -> None:
    limits = {"requests_per_min_max": 2, "tokens_per_min_max": 20_000, "in_flight_max": 1}
    async with limited(tmp_path, **limits) as s:
        for _ in range(3):
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers = {"content-type": "application/json"}
            async with s.http.post(
                s.url + "/chat/completions", data=data, headers=headers
            ) as answer:
                assert answer.status == status
            await s.idle()
        answer = await s.post(chat())
        assert (answer.status, left(answer)) == (200, 1)
        assert left(answer, "tokens") > 19_000


async def test_tokens_are_estimated_and_then_corrected(tmp_path: Path) -> None:
    async with limited(tmp_path, tokens_per_min_max=10_000) as s:
        first = await s.post(chat(max_tokens=300))
        usage = (await first.json())["usage"]
        taken = usage["prompt_tokens"] + usage["completion_tokens"]
        estimated = 10_000 - left(first, "tokens")
        assert estimated > 0
        await s.idle()
        second = await s.post(chat(max_tokens=300))
        assert second.status == 200
        after = 10_000 - left(second, "tokens")
        use = use_of(s)
        await until(lambda: use.in_flight == 0)
        assert taken < after <= taken + estimated + 300
        assert use.minute.tokens.total == 2 * taken


async def test_a_request_beyond_the_limit_by_itself_is_not_sent_again(tmp_path: Path) -> None:
    async with limited(tmp_path, tokens_per_min_max=500, requests_per_min_max=1) as s:
        answer = await s.post(chat("word " * 2_000))
        error = await refused(answer, "500 tokens per minute")
        assert "alone" in error["message"]
        assert answer.headers["x-should-retry"] == "false"
        assert "retry-after" not in answer.headers
        assert s.asked == 0
        assert (await s.post(chat())).status == 200  # its request was given back


async def test_the_official_client_sees_a_rate_limit(tmp_path: Path) -> None:
    async with limited(tmp_path, requests_per_min_max=1) as s:
        raw = await s.openai.chat.completions.with_raw_response.create(**chat())
        assert raw.headers["x-ratelimit-remaining-requests"] == "0"
        with pytest.raises(openai.RateLimitError) as caught:
            await s.openai.chat.completions.create(**chat())
        assert caught.value.code == "tenant_limit_reached"
        assert int(caught.value.response.headers["retry-after"]) in (61, 60)


async def test_a_stream_that_is_cancelled_gives_its_place_back(tmp_path: Path) -> None:
    async with limited(tmp_path, in_flight_max=1) as s:
        stream = await s.post(chat(SLOW, stream=True, max_tokens=200))
        await stream.content.readany()
        await refused(await s.post(chat()), "1 requests under way")
        assert (await s.post(chat(), path="/completions")).status == 429
        stream.close()
        use = use_of(s)
        await until(lambda: use.in_flight == 0)
        assert (await s.post(chat())).status == 200


async def test_a_stream_that_ends_gives_its_place_back_and_one_that_breaks_too(
    tmp_path: Path,
) -> None:
    async with limited(tmp_path, in_flight_max=1) as s:
        await s.post(chat())
        use = use_of(s)
        for text in ("hello", "[fault:die:2]", "[fault:error_frame:1]"):
            stream = await s.post(chat(text, stream=True))
            assert stream.status == 200
            await stream.read()
            await until(lambda: use.in_flight == 0)


async def test_who_leaves_the_queue_gives_the_place_back(tmp_path: Path) -> None:
    limits = config(in_flight_max=2, requests_per_min_max=2)
    async with stack(tmp_path, config=limits, max_num_seqs=1) as s:
        stream = await s.post(chat(SLOW, stream=True, max_tokens=200))
        use = use_of(s)
        with pytest.raises(TimeoutError):
            await s.http.post(
                s.url + "/chat/completions", json=chat(), timeout=aiohttp.ClientTimeout(total=0.5)
            )
        await until(lambda: use.in_flight == 1)
        assert use.minute.requests.total == 1
        stream.close()


async def test_limits_that_are_deployed_hold_from_the_next_request(tmp_path: Path) -> None:
    async with limited(tmp_path, requests_per_min_max=1) as s:
        assert (await s.post(chat())).status == 200
        await refused(await s.post(chat()), "1 requests")
        s.gateway.reconfigure(routing_of(None, config(requests_per_min_max=2), {}))
        assert (await s.post(chat())).status == 200  # what was counted before is kept
        await refused(await s.post(chat()), "2 requests")
        s.gateway.reconfigure(routing_of(None, {}, {}))
        assert (await s.post(chat())).status == 200


async def test_a_limit_that_was_reached_is_seen_by_the_operator(tmp_path: Path) -> None:
    async with limited(tmp_path, in_flight_max=1) as s:
        stream = await s.post(chat(SLOW, stream=True, max_tokens=200))
        hits = refusals["tenants.in_flight_max"]
        await refused(await s.post(chat()), "under way")
        stream.close()
        assert refusals["tenants.in_flight_max"] == hits + 1
        value = s.metrics.registry.get_sample_value
        labels = {"limit": "tenants.in_flight_max"}
        await until(lambda: value("baseload_limit_hits", labels) == hits + 1)
