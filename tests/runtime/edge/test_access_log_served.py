"""Every request has its line, whatever becomes of it, and no line has a word of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from runtime.config import load_config
from runtime.edge.auth import hash_key
from runtime.engine.fault_script import Fault, Script
from tests.runtime.lines import logged
from tests.runtime.parts import KEY, MODEL, chat, stack, until

CANARY = "canary-5f0c"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer(tmp_path: Path, stream: bool) -> None:
    async with logged(tmp_path) as (s, lines):
        answer = await s.post(
            chat(CANARY, stream=stream),
            X_Request_ID="mine",
            traceparent=TRACEPARENT,
            X_Baseload_Feature="search",
            X_Baseload_Task="summary",
        )
        await answer.read()
        told = await lines.next()
        row = s.row()
    assert told["request_id"] == answer.headers["x-request-id"] == row.request_id
    assert (told["client_request_id"], told["trace_id"]) == ("mine", TRACE_ID)
    assert (told["status"], told["outcome"], told["error"]) == (200, "ok", None)
    assert (told["tenant"], told["feature"], told["task"]) == ("acme", "search", "summary")
    assert (told["model"], told["streamed"], told["attempts"]) == (MODEL, stream, 1)
    assert told["target"] == answer.headers["x-baseload-target"]
    assert told["reason"] == answer.headers["x-baseload-reason"]
    assert told["completion_tokens"] == row.completion_tokens == 5
    assert told["prompt_tokens"] == row.prompt_tokens
    assert told["cost_nano_usd"] == row.cost_nano_usd > 0
    assert 0 <= told["held_ms"] <= told["ttft_ms"] <= told["e2e_ms"]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "error"),
    [
        (
            "POST",
            "/v1/chat/completions",
            {},
            {"authorization": "Bearer no"},
            401,
            "invalid_api_key",
        ),
        ("POST", "/v1/chat/completions", {CANARY: 1}, {}, 400, None),
        ("POST", "/v1/chat/completions", chat(CANARY) | {"model": "x"}, {}, 404, "model_not_found"),
        ("POST", "/v1/chat/completions", chat(CANARY * 9_999), {}, 400, "context_length_exceeded"),
        ("POST", "/v1/chat/completions", chat("[fault:reject]" + CANARY), {}, 400, None),
        ("POST", "/v1/chat/completions", chat(), {"x-baseload-task": CANARY * 99}, 400, None),
        ("POST", "/v1/chat/completions", chat(), {"cookie": CANARY * 2_000}, 431, None),
        ("POST", "/v1/responses", {"input": CANARY}, {}, 404, "not_found"),
        ("POST", "/v1/messages", {"input": CANARY}, {}, 404, "not_found"),
        ("DELETE", "/v1/models", None, {}, 405, "method_not_allowed"),
    ],
)
async def test_a_refusal(
    tmp_path: Path,
    method: str,
    path: str,
    body: Any,
    headers: dict[str, str],
    status: int,
    error: str | None,
) -> None:
    async with logged(tmp_path) as (s, lines):
        url = s.url.removesuffix("/v1") + path
        async with s.http.request(method, url, json=body, headers=headers) as answer:
            refused = json.loads(await answer.read())
        told = await lines.next()
        assert (answer.status, told["status"]) == (status, status)
        assert told["request_id"] == answer.headers["x-request-id"]
        assert told["error"] == (error or refused["error"]["code"])
        assert told["outcome"] == ("client_error" if "reject" in str(body) else "refused")
    assert CANARY not in lines.getvalue()
    assert KEY not in lines.getvalue()
    assert "Bearer" not in lines.getvalue()


async def test_a_refusal_for_lack_of_room_says_why(tmp_path: Path) -> None:
    config = {"queue": {"wait_ms_max": 100}}
    hangs = [Script(fault=Fault.HANG)]
    async with logged(tmp_path, scripts=hangs, max_num_seqs=1, config=config) as (s, lines):
        filling = asyncio.ensure_future(s.post(chat()))
        await until(lambda: s.asked == 1)
        answer = await s.post(chat())
        told = await lines.next()
        assert (told["status"], told["error"]) == (504, "queue_timeout")
        assert told["reason"] == answer.headers["x-baseload-reason"] == "queue_timeout"
        assert told["outcome"] == "refused"
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)
        assert (await lines.next(2))["outcome"] == "client_left"
        assert lines.told()[1]["status"] == 499


async def test_a_stream_that_broke(tmp_path: Path) -> None:
    async with logged(tmp_path) as (s, lines):
        answer = await s.post(chat("[fault:die:3]", stream=True))
        await answer.read()
        told = await lines.next()
        assert told["cost_nano_usd"] == s.row().cost_nano_usd > 0
    assert (told["status"], told["outcome"]) == (200, "target_failed")
    assert told["error"] == "incomplete_stream"


async def test_a_client_that_left_in_the_middle(tmp_path: Path) -> None:
    async with logged(tmp_path, scripts=[Script(token_s=0.02)]) as (s, lines):
        answer = await s.post(chat(stream=True, max_tokens=1_000))
        await answer.content.readany()
        answer.close()
        told = await lines.next()
        await s.idle()
        assert told["completion_tokens"] == s.row().completion_tokens
    assert (told["status"], told["outcome"], told["error"]) == (200, "client_left", None)


async def test_two_attempts_have_one_line_and_the_cost_of_both(tmp_path: Path) -> None:
    async with logged(tmp_path, scripts=[Script(fault=Fault.SERVER_ERROR)] * 3) as (s, lines):
        answer = await s.post(chat())
        told = await lines.next()
        assert answer.status == told["status"] == 502
        assert (told["attempts"], told["outcome"]) == (2, "target_failed")
        assert told["cost_nano_usd"] == s.row().cost_nano_usd


async def test_what_was_not_foreseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with logged(tmp_path) as (s, lines):
        monkeypatch.setattr(s.gateway, "allowance", None)
        answer = await s.post(chat())
        told = await lines.next()
    assert (answer.status, told["status"]) == (500, 500)
    assert (told["outcome"], told["error"]) == ("failed", "internal_error")


async def test_it_can_be_switched_off_and_on_without_a_restart(tmp_path: Path) -> None:
    async with logged(tmp_path) as (s, lines):
        s.gateway.reconfigure(load_config({"telemetry": {"access_log": False}}))
        await (await s.post(chat())).read()
        await s.idle()
        s.gateway.reconfigure(load_config({}))
        await (await s.post(chat())).read()
        await lines.next()


async def test_a_tenants_name_is_in_one_line_whatever_it_is(tmp_path: Path) -> None:
    async with logged(tmp_path) as (s, lines):
        name = "müller [/x] 团队"
        s.gateway.reconfigure(load_config({"tenants": {name: {"key_sha256": [hash_key("k")]}}}))
        await (await s.post(chat())).read()
        await lines.next()


async def test_the_callers_trace_goes_to_our_engines_and_to_no_vendor(tmp_path: Path) -> None:
    async with stack(tmp_path, sells=True) as s:
        await (await s.post(chat(), traceparent=TRACEPARENT)).read()
        assert [each.traceparent for each in s.replicas[0].engine.asked] == [TRACEPARENT]
        s.gateway.set_replicas([])
        await until(lambda: not s.gateway.locals)
        answer = await s.post(chat(), traceparent=TRACEPARENT)
        assert answer.headers["x-baseload-target"].startswith("offer:")
        assert [each.traceparent for each in s.vendor.engine.asked] == [None]
