"""A vendor that speaks Anthropic's Messages API, asked by callers who speak OpenAI's."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openai import APIError, APIStatusError, BadRequestError, InternalServerError

from models.price_book import Price, PriceBook
from runtime.targets.local_pools import LocalPool
from tests.runtime.parts import KEY_ENV, MODEL, POOL, Stack, chat, stack, until
from tests.runtime.targets.servers import CHUNKED, END, HOST, chunk
from tests.runtime.vendors import HANG, settled
from tests.runtime.wire.anthropic import answers as an
from tests.runtime.wire.bodies import TOOL, USER

PROMPT_NANO, CACHED_NANO, OUTPUT_NANO = 1_000, 100, 2_000
KEY = "sk-ant-test"

Answer = list[bytes]


class Anthropic:
    """It answers as it is told to, in the writes that it is given, and keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = answers
        self.url = ""
        self.heads: list[str] = []
        self.asked: list[dict[str, Any]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r")[0])
        self.heads.append(head)
        self.asked.append(json.loads(await reader.readexactly(length)))
        for write in self.answers[min(len(self.asked), len(self.answers)) - 1]:
            if write == HANG:
                await reader.read()
                break
            writer.write(write)
            await writer.drain()
            await asyncio.sleep(0.002)
        writer.close()


def _streamed(*events: dict[str, Any] | bytes) -> Answer:
    writes = [each if isinstance(each, bytes) else chunk(an.event(each)) for each in events]
    return [CHUNKED, *writes, END]


def _whole(body: bytes, status: int = 200, *headers: str) -> Answer:
    lines = [f"HTTP/1.1 {status} X", *headers, f"content-length: {len(body)}", "", ""]
    return ["\r\n".join(lines).encode() + body]


def _price() -> Price:
    return Price(
        price_id=f"claude/{an.MODEL}",
        provider="claude",
        model=an.MODEL,
        input_pico=PROMPT_NANO * 1_000,
        cached_input_pico=CACHED_NANO * 1_000,
        output_pico=OUTPUT_NANO * 1_000,
        effective_from=date(2026, 1, 1),
        effective_to=None,
        source="made up",
    )


@asynccontextmanager
async def _served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *answers: Answer, pool: LocalPool = POOL
) -> AsyncIterator[tuple[Stack, Anthropic]]:
    monkeypatch.setenv(KEY_ENV, KEY)
    vendor = Anthropic(*answers)
    server = await asyncio.start_server(vendor.serve, HOST, 0)
    async with server:
        account = {
            "vendor": "anthropic",
            "base_url": f"http://{HOST}:{server.sockets[0].getsockname()[1]}/v1",
            "key_env": KEY_ENV,
            "offers": {MODEL: {"name": an.MODEL, "output_tokens_max": 1_000}},
        }
        config = {"providers": {"claude": account}}
        prices = PriceBook((_price(),))
        async with stack(tmp_path, scripts=[], config=config, prices=prices, pool=pool) as s:
            yield s, vendor


async def _ask(s: Stack, **fields: Any) -> Any:
    """By OpenAI's own client."""
    create: Any = s.openai.chat.completions.create
    return await create(model=MODEL, messages=USER, **fields)


RIVER: list[dict[str, Any]] = [
    an.start(input_tokens=100, cache_read_input_tokens=900),
    *an.RIVER[1:-2],
    an.finish(output_tokens=50),
    an.STOP,
]


async def test_how_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with _served(tmp_path, monkeypatch, _whole(an.message())) as (s, vendor):
        assert (await s.post(chat("hi", max_tokens=None, seed=3))).status == 200
    (head,), (body,) = vendor.heads, vendor.asked
    assert head.startswith("post /v1/messages http/1.1")
    assert f"x-api-key: {KEY}" in head
    assert "anthropic-version: 2023-06-01" in head
    assert "authorization" not in head
    assert body == {
        "model": an.MODEL,
        "max_tokens": 1_000,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }


async def test_the_official_client_reads_a_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _served(tmp_path, monkeypatch, _streamed(*RIVER)) as (s, _):
        stream = await _ask(s, stream=True, stream_options={"include_usage": True})
        chunks = [each async for each in stream]
        await s.idle()
        (row,) = settled(s)
    words = "".join(each.choices[0].delta.content or "" for each in chunks if each.choices)
    assert words == " river ran"
    assert chunks[-2].choices[0].finish_reason == "stop"
    usage = chunks[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (1_000, 50)
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 900
    assert abs(chunks[0].created - time.time()) < 600
    assert row["cost_nano_usd"] == 100 * PROMPT_NANO + 900 * CACHED_NANO + 50 * OUTPUT_NANO
    assert (row["outcome"], row["usage_source"]) == ("ok", "target")


async def test_it_reads_a_whole_answer_with_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = {**an.TOOL_USE, "input": {"q": 1}}
    body = an.message(call, reason="tool_use", usage={
        "input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 5})  # fmt: skip
    async with _served(tmp_path, monkeypatch, _whole(body)) as (s, vendor):
        answer = await _ask(s, tools=[TOOL], tool_choice="required")
        await s.idle()
        (row,) = settled(s)
    (made,) = answer.choices[0].message.tool_calls
    assert (made.id, made.function.name, made.function.arguments) == (
        "toolu_1",
        "look_up",
        '{"q": 1}',
    )
    assert answer.choices[0].finish_reason == "tool_calls"
    assert vendor.asked[0]["tool_choice"] == {"type": "any"}
    assert row["cost_nano_usd"] == 10 * PROMPT_NANO + 90 * CACHED_NANO + 5 * OUTPUT_NANO


async def test_a_stream_that_breaks_off_is_billed_for_its_prompt_and_what_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [*_streamed(*RIVER[:5])[:-1]]
    async with _served(tmp_path, monkeypatch, broken) as (s, _):
        response = await s.post(chat(stream=True))
        assert b"incomplete_stream" in await response.read()
        await s.idle()
        (row,) = settled(s)
    assert (row["prompt_tokens"], row["cached_tokens"]) == (1_000, 900)
    assert 1 <= row["completion_tokens"] <= 5
    assert row["usage_source"] == "estimate"


async def test_a_client_that_leaves_pays_for_the_prompt_that_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = [*_streamed(*RIVER[:5])[:-1], HANG]
    async with _served(tmp_path, monkeypatch, answer) as (s, vendor):
        response = await s.post(chat(stream=True))
        assert b"river" in await response.content.readany()
        response.close()
        await until(lambda: len(vendor.asked) == 1)
        await s.idle()
        (row,) = settled(s)
    assert (row["prompt_tokens"], row["cached_tokens"]) == (1_000, 900)


ERRORS = [
    (529, "overloaded_error", "target_busy"),
    (429, "rate_limit_error", "rate_limited"),
    (401, "authentication_error", "key_refused"),
    (402, "billing_error", "key_refused"),
    (403, "permission_error", "access_refused"),
]


@pytest.mark.parametrize(("status", "kind", "outcome"), ERRORS)
async def test_an_error_of_the_account_costs_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    kind: str,
    outcome: str,
) -> None:
    failed = _whole(json.dumps(an.failed(kind)).encode(), status, "retry-after: 7")
    async with _served(tmp_path, monkeypatch, failed) as (s, _):
        with pytest.raises(APIError) as caught:
            await _ask(s)
        assert isinstance(caught.value, APIStatusError)
        assert caught.value.status_code in (429, 503)  # another target could have had it
        await s.idle()
        (row,) = settled(s)
    assert (row["ending"], row["outcome"]) == ("void", f"{outcome}: upstream_not_started")


async def test_a_request_that_it_refuses_is_the_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "too long"}}
    async with _served(tmp_path, monkeypatch, _whole(json.dumps(error).encode(), 400)) as (s, _):
        with pytest.raises(BadRequestError, match="too long"):
            await _ask(s)


async def test_an_overload_in_a_stream_before_its_words_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _served(tmp_path, monkeypatch, _streamed(RIVER[0], an.failed())) as (s, _):
        with pytest.raises(InternalServerError):
            await _ask(s, stream=True)
        await s.idle()
        (row,) = settled(s)
    assert row["outcome"] == "target_busy: upstream_not_started"


async def test_an_error_after_the_first_words_is_told_in_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _served(tmp_path, monkeypatch, _streamed(*RIVER[:5], an.failed())) as (s, _):
        stream = await _ask(s, stream=True)
        with pytest.raises(APIError, match="broke off"):
            _ = [each async for each in stream]
        await s.idle()
        (row,) = settled(s)
    assert row["prompt_tokens"] == 1_000


async def test_what_cannot_be_said_there_is_not_sent_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = POOL.model_copy(update={"model": "another"})
    answer = _whole(an.message())
    async with _served(tmp_path, monkeypatch, answer, pool=elsewhere) as (s, vendor):
        response = await s.post(chat(n=2))
        assert response.status == 400
        told = (await response.json())["error"]
        assert (told["param"], vendor.asked) == ("n", [])
        assert told["message"] == "No provider of `tiny-moe` takes `n` as it is sent."
