"""Tokens of a text and text of tokens: an engine's own, in bounds, and never billed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from runtime.request_limits import LIMITS
from tests.runtime.lines import listening
from tests.runtime.parts import MODEL, Stack, stack, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

VENDOR_MODEL = "deepseek-ai/DeepSeek-V3.2"
USER = [{"role": "user", "content": "hé"}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def s(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BASELOAD_TEST_VENDOR_KEY", "vendor-key")
        terms = {"offers": {VENDOR_MODEL: MODEL}}
        async with stack(tmp_path_factory.mktemp("tokens"), sells=True, terms=terms) as made:
            yield made


async def _ask(s: Stack, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    url = s.url.removesuffix("/v1") + path
    async with s.http.post(url, json=body, headers=headers) as answer:
        assert answer.headers["x-request-id"].startswith("req-")
        return answer.status, json.loads(await answer.read())


async def test_a_prompt_and_back(s: Stack) -> None:
    rows = len(s.rows())
    with listening(s) as lines:
        status, told = await _ask(s, "/tokenize", {"model": MODEL, "prompt": "hé"})
        line = await lines.next()
    assert (status, told["tokens"], told["count"]) == (200, [104, 195, 169], 3)
    assert (line["tenant"], line["model"], line["cost_nano_usd"]) == ("acme", MODEL, 0)
    status, told = await _ask(s, "/detokenize", {"model": MODEL, "tokens": told["tokens"]})
    assert (status, told) == (200, {"prompt": "hé"})
    assert len(s.rows()) == rows


async def test_a_chat_is_counted_by_the_body_that_it_would_be_sent_with(s: Stack) -> None:
    body = {"model": MODEL, "messages": USER, "temperature": 0.5, "max_tokens": 5, "stream": True}
    status, told = await _ask(s, "/tokenize/", body)
    assert (status, told["count"]) == (200, 3)
    assert told["asked"] == {"model": MODEL, "messages": USER}


@pytest.mark.parametrize("path", ["/tokenize", "/detokenize"])
async def test_a_key_is_needed(s: Stack, path: str) -> None:
    body = {"model": MODEL, "prompt": "a"}
    assert (await _ask(s, path, body, authorization="Bearer no"))[0] == 401


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("/tokenize", {"model": "x", "prompt": "a"}, 404, "model"),
        ("/tokenize", {"model": VENDOR_MODEL, "prompt": "a"}, 404, "model"),
        ("/tokenize", {"model": MODEL}, 400, "prompt"),
        ("/tokenize", {"model": MODEL, "prompt": ["a"]}, 400, "prompt"),
        ("/tokenize", {"model": MODEL, "prompt": "a", "add_special_tokens": "no"}, 400, None),
        ("/tokenize", {"model": MODEL, "messages": []}, 400, "messages"),
        ("/tokenize", {"model": MODEL, "messages": USER, "return_token_strs": 1}, 400, None),
        ("/tokenize", {"prompt": "a"}, 400, "model"),
        ("/tokenize", ["a"], 400, None),
        ("/detokenize", {"model": MODEL, "tokens": [-1]}, 400, "tokens[0]"),
        ("/detokenize", {"model": MODEL, "tokens": ["1"]}, 400, "tokens[0]"),
        ("/detokenize", {"model": MODEL, "tokens": [LIMITS.token_id_max + 1]}, 400, "tokens[0]"),
        ("/detokenize", {"model": MODEL}, 400, "tokens"),
        ("/v1/tokenize", {"model": MODEL, "prompt": "a"}, 404, None),
    ],
)
async def test_what_is_refused(
    s: Stack, path: str, body: Any, status: int, param: str | None
) -> None:
    got, told = await _ask(s, path, body)
    assert got == status
    if param is not None:
        assert told["error"]["param"] == param


async def test_only_so_many_are_under_way(s: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    (target,) = s.gateway.locals.values()
    held = asyncio.Event()
    begun = 0
    post = target.upstream.post

    async def slow(*given: Any) -> Any:
        nonlocal begun
        begun += 1
        await held.wait()
        return await post(*given)

    monkeypatch.setattr(type(target.upstream), "post", lambda _, *given: slow(*given))
    asking = [
        asyncio.ensure_future(_ask(s, "/tokenize", {"model": MODEL, "prompt": "a"}))
        for _ in range(LIMITS.tokenize_in_flight_max)
    ]
    await until(lambda: begun == LIMITS.tokenize_in_flight_max)
    status, told = await _ask(s, "/tokenize", {"model": MODEL, "prompt": "a"})
    assert (status, told["error"]["code"]) == (429, "rate_limit_exceeded")
    held.set()
    assert {status for status, _ in await asyncio.gather(*asking)} == {200}
    assert (await _ask(s, "/tokenize", {"model": MODEL, "prompt": "a"}))[0] == 200


async def test_without_a_replica_it_can_be_tried_again(s: Stack) -> None:
    endpoints = [each.endpoint for each in s.replicas]
    s.gateway.set_replicas([])
    await until(lambda: not s.gateway.locals)
    try:
        status, told = await _ask(s, "/tokenize", {"model": MODEL, "prompt": "a"})
        assert (status, told["error"]["code"]) == (503, "no_ready_replica")
    finally:
        s.gateway.set_replicas(endpoints)
        await until(lambda: len(s.gateway.locals) == 1)
