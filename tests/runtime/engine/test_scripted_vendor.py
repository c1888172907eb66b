"""The scripted vendor speaks both forms, and fails on request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from runtime.edge.private_server import PrivateServer
from runtime.engine.scripted_vendor import RETRY_AFTER_S, ScriptedVendor, VendorFault
from runtime.wire.anthropic.anthropic_upstream import AnthropicWire
from runtime.wire.upstream_wire import UpstreamWire

HOST = "127.0.0.1"
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 3}
Heard = list[tuple[str, list[str]]]


@asynccontextmanager
async def _vendor(heard: Heard, **settings: Any) -> AsyncIterator[tuple[str, ScriptedVendor]]:
    vendor = ScriptedVendor(lambda model, texts: heard.append((model, texts)), **settings)
    server = PrivateServer(vendor.app, HOST)
    await server.start()
    try:
        yield f"http://{HOST}:{server.port}/v1", vendor
    finally:
        await server.stop()


async def _asked(url: str, body: Any) -> tuple[int, bytes, Any]:
    async with aiohttp.ClientSession() as http, http.post(url, json=body) as answer:
        return answer.status, await answer.read(), answer.headers


async def test_it_answers_in_openais_form_and_says_its_tokens() -> None:
    heard: Heard = []
    async with _vendor(heard) as (url, _):
        status, streamed, _ = await _asked(f"{url}/chat/completions", CHAT | {"stream": True})
        _, whole, _ = await _asked(f"{url}/chat/completions", CHAT)
    assert status == 200
    assert streamed.count(b'"content":"') == 4  # with the empty one of the role
    assert b'"completion_tokens":3' in streamed
    assert streamed.endswith(b"data: [DONE]\n\n")
    assert b"the river turned" in whole
    assert heard == [("m", ["hello"])] * 2


@pytest.mark.parametrize("allowed", [3, 4_000])
async def test_it_answers_in_anthropics_form(allowed: int) -> None:
    wire: UpstreamWire = AnthropicWire()
    call = wire.call(CHAT | {"max_tokens": allowed})
    heard: Heard = []
    async with _vendor(heard) as (url, _):
        body = {"model": "m", "max_tokens": allowed, "messages": CHAT["messages"]}
        _, streamed, _ = await _asked(url + call.path, body | {"stream": True})
        _, whole, _ = await _asked(url + call.path, body)
    scanner = wire.scanner(wants_usage=True, asked_unix_s=0)
    told = scanner.feed(streamed)
    assert told.count(b'"content":') == 1 + min(allowed, 32)
    assert scanner.over
    assert not scanner.error
    assert scanner.usage is not None
    assert scanner.usage.completion_tokens == min(allowed, 32)
    assert b"the river turned" in wire.chat_answer(whole, 0)
    assert heard == [("m", ["hello"])] * 2


async def test_it_limits_its_rate_and_is_slow_on_request() -> None:
    heard: Heard = []
    async with _vendor(heard, slow_s=0.2) as (url, vendor):
        vendor.fault = VendorFault.RATE_LIMITED
        status, told, headers = await _asked(f"{url}/chat/completions", CHAT)
        assert (status, headers["retry-after"]) == (429, str(RETRY_AFTER_S))
        assert b"rate_limit_error" in told
        vendor.fault = VendorFault.SLOW
        status, _, _ = await _asked(f"{url}/chat/completions", CHAT)
        assert status == 200
