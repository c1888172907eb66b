"""The scripted engine keeps its promises: vLLM's frames, its faults, and what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from runtime.engine.fault_script import Fault, Script
from tests.runtime.parts import TOKEN, Served, chat, facts_of, serving, until


@asynccontextmanager
async def _engine(
    script: Script | None = None, max_num_seqs: int = 8
) -> AsyncIterator[tuple[Served, aiohttp.ClientSession]]:
    facts = facts_of(max_num_seqs)
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with (
        serving(script=script, facts=facts) as served,
        aiohttp.ClientSession(headers=headers) as http,
    ):
        yield served, http


async def _events(http: aiohttp.ClientSession, served: Served, body: dict[str, Any]) -> list[str]:
    path = "/completions" if "prompt" in body else "/chat/completions"
    async with http.post(served.url + path, json=body) as answer:
        assert answer.content_type == "text/event-stream"
        text = (await answer.read()).decode()
    return [event.removeprefix("data: ") for event in text.split("\n\n") if event]


async def test_a_chat_streams_as_vllm_does() -> None:
    async with _engine() as (served, http):
        body = chat(stream=True, max_tokens=3, stream_options={"include_usage": True})
        *frames, end = await _events(http, served, body)
    assert end == "[DONE]"
    told = [json.loads(frame) for frame in frames]
    assert [each["choices"][0]["delta"] for each in told[:-1]] == [
        {"role": "assistant", "content": ""},
        {"content": "the"},
        {"content": " river"},
        {"content": " turned"},
        {},
    ]
    reasons = [each["choices"][0]["finish_reason"] for each in told[:-1]]
    assert reasons == [None, None, None, None, "length"]
    assert told[-1]["choices"] == []
    assert told[-1]["usage"] == {"prompt_tokens": 2, "total_tokens": 5, "completion_tokens": 3}
    assert {each["object"] for each in told} == {"chat.completion.chunk"}


async def test_a_completion_streams_each_choice_and_no_usage_unasked() -> None:
    async with _engine() as (served, http):
        body = {"model": "m", "prompt": ["a", "b"], "stream": True, "max_tokens": 2}
        *frames, _ = await _events(http, served, body)
    told = [json.loads(frame)["choices"][0] for frame in frames]
    assert [each["index"] for each in told] == [0, 1, 0, 1, 0, 1]
    assert "".join(each["text"] for each in told) == "thethe river river"


async def test_the_same_request_has_the_same_answer() -> None:
    async with _engine() as (served, http):
        answers = []
        for _ in range(2):
            async with http.post(served.url + "/chat/completions", json=chat()) as answer:
                answers.append(await answer.read())
    assert answers[0] == answers[1]
    assert json.loads(answers[0])["usage"]["completion_tokens"] == 5
    assert [asked.body for asked in served.engine.asked] == [chat(), chat()]


@pytest.mark.parametrize(
    ("mark", "status"), [("server_error", 500), ("busy", 503), ("reject", 400)]
)
async def test_an_error_status_has_vllms_body(mark: str, status: int) -> None:
    async with _engine() as (served, http):
        url = served.url + "/chat/completions"
        async with http.post(url, json=chat(f"[fault:{mark}]")) as answer:
            assert answer.status == status
            assert (await answer.json())["error"]["code"] == status


async def test_a_script_holds_for_all_and_a_mark_for_one() -> None:
    async with _engine(Script(fault=Fault.ERROR_FRAME, after_tokens=1)) as (served, http):
        events = await _events(http, served, chat(stream=True))
        assert [json.loads(event).get("error") is not None for event in events[:-1]] == [
            False,
            False,
            True,
        ]
        events = await _events(http, served, chat("[fault:no_finish:2]", stream=True))
        assert len(events) == 4
        served.engine.script = Script()
        assert len(await _events(http, served, chat(stream=True))) == 8


async def test_dying_closes_the_connection() -> None:
    async with _engine() as (served, http):
        with pytest.raises(aiohttp.ClientError):
            await _events(http, served, chat("[fault:die:2]", stream=True))
        with pytest.raises(aiohttp.ClientError):
            async with http.post(
                served.url + "/chat/completions", json=chat("[fault:die]")
            ) as answer:
                await answer.read()


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_caller_that_leaves_is_noted(streamed: bool) -> None:
    async with _engine() as (served, http):
        url, body = served.url + "/chat/completions", chat("[fault:hang]", stream=streamed)
        asking = asyncio.ensure_future(http.post(url, json=body))
        await until(lambda: served.engine.running == 1)
        await asyncio.sleep(0.02)
        if asking.done():
            asking.result().close()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until(lambda: len(served.engine.aborted) == 1)
        await until(lambda: served.engine.running == 0)
        await _events(http, served, chat(stream=True))
        assert len(served.engine.aborted) == 1


async def test_load_and_slots_are_honest() -> None:
    async with _engine(Script(token_s=0.02), max_num_seqs=2) as (served, http):
        url = served.url + "/chat/completions"
        asking = [asyncio.ensure_future(http.post(url, json=chat())) for _ in range(3)]
        meter = served.engine.meter
        await until(lambda: (meter.running, meter.waiting) == (2, 1))
        for answer in await asyncio.gather(*asking):
            answer.close()
        await until(lambda: (meter.running, meter.waiting) == (0, 0))
        assert meter.output_tokens == 15


def test_a_mark_that_is_no_fault_is_an_error() -> None:
    with pytest.raises(ValueError, match="explode"):
        Script().for_prompt(["[fault:explode]"])
