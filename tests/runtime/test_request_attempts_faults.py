"""Targets that fail: before the first words one more attempt elsewhere, then an error frame."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest

from runtime.engine.fault_script import Fault, Script
from tests.runtime.parts import MODEL, Stack, chat, stack, until

SHORT = {"stream": {"first_token_ms_max": 300, "inter_token_ms_max": 300}}


async def _streamed(s: Stack, text: str = "hello") -> tuple[list[bytes], dict[str, Any] | None]:
    """The frames of a stream, and its error frame if it has one."""
    answer = await s.post(chat(text, stream=True))
    assert answer.status == 200
    frames = [frame for frame in (await answer.read()).split(b"\n\n") if frame]
    errors = [json.loads(frame[6:])["error"] for frame in frames if b'"error"' in frame]
    return frames, errors[0] if errors else None


@pytest.mark.parametrize(
    ("mark", "code", "tokens"),
    [
        ("[fault:die:3]", "incomplete_stream", 3),
        ("[fault:no_finish:2]", "incomplete_stream", 2),
        ("[fault:no_done:2]", "incomplete_stream", 2),
        ("[fault:error_frame:3]", "incomplete_stream", 3),
        ("[fault:not_json:1]", "incomplete_stream", 1),
        ("[fault:huge_frame:1]", "incomplete_stream", 1),
        ("[fault:hang:3]", "stream_stalled", 3),
    ],
)
async def test_mid_stream_faults(tmp_path: Path, mark: str, code: str, tokens: int) -> None:
    async with stack(tmp_path, scripts=[Script(), Script()], config=SHORT) as s:
        frames, error = await _streamed(s, mark)
        assert error is not None
        assert error["code"] == code
        assert error["type"] == "upstream_error"
        assert "EngineCore" not in error["message"]
        assert b"[DONE]" not in b"".join(frames)
        assert frames[-1].startswith(b'data: {"error"')
        assert s.asked == 1  # never a second attempt after the first words
        row = s.row()
        assert (row.attempts, row.ending) == (1, "settle")
        assert row.outcome == f"target_failed: {code}"
        assert error["tokens_billed"] == row.completion_tokens == tokens
        await s.idle()
        frames, error = await _streamed(s)
        assert error is None
        assert frames[-1] == b"data: [DONE]"


@pytest.mark.parametrize("mark", ["[fault:die:3]", "[fault:no_finish:3]", "[fault:error_frame:3]"])
async def test_the_official_client_raises(tmp_path: Path, mark: str) -> None:
    async with stack(tmp_path) as s:
        stream = await s.openai.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": mark}], stream=True
        )
        told: list[str | None] = []

        async def read() -> None:
            async for chunk in stream:
                told.append(chunk.choices[0].delta.content)

        with pytest.raises(openai.APIError) as caught:
            await read()
        assert told == ["", "the", " river", " turned"]
        assert caught.value.code == "incomplete_stream"


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.BUSY, Fault.DIE, Fault.HANG])
async def test_before_the_first_words_another_replica_is_tried_once(
    tmp_path: Path, fault: Fault, streamed: bool
) -> None:
    scripts = [Script(fault=fault), Script(token_s=0.001)]
    async with stack(tmp_path, scripts=scripts, config=SHORT) as s:
        await _use_first(s)
        answer = await s.post(chat(stream=streamed))
        assert answer.status == 200
        assert answer.headers["x-baseload-target"] == "local:r2"
        assert answer.headers["x-baseload-reason"] == "retry"
        assert b"river" in await answer.read()
        row = s.row()
    assert (row.attempts, row.outcome, row.completion_tokens) == (2, "ok", 5)


async def _use_first(s: Stack) -> None:
    """Replica r1 gets the next request: r2 has measured itself to be slow."""
    slow = s.replicas[1].engine
    for _ in range(20):
        slow.meter.decode_step_s = slow.meter.prefill_tok_s = 1.0
        slow.note_step(0, 0)
    book = s.gateway._scheduler._replicas["r2"]
    await until(lambda: book.report is not None and book.report.prefill_tok_s == 1.0)


async def test_two_failures_are_a_502_that_is_not_to_be_retried(tmp_path: Path) -> None:
    broken = Script(fault=Fault.SERVER_ERROR)
    async with stack(tmp_path, scripts=[broken] * 3) as s:
        answer = await s.post(chat())
        assert answer.status == 502
        assert answer.headers["x-should-retry"] == "false"
        error = (await answer.json())["error"]
        assert error["type"] == "upstream_error"
        assert "EngineCore" not in error["message"]
        assert answer.headers["x-request-id"] in error["message"]
        assert s.asked == 2
        row = s.row()
        assert (row.attempts, row.ending) == (2, "settle")
        await s.idle()


async def test_a_refusal_of_the_request_is_told_and_not_retried(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[Script()] * 2) as s:
        answer = await s.post(chat("[fault:reject]", stream=True))
        assert answer.status == 400
        error = (await answer.json())["error"]
        assert error["message"] == "The prompt has a token that is not allowed."
        assert error["type"] == "invalid_request_error"
        assert s.asked == 1
        row = s.row()
    assert (row.ending, row.cost_nano_usd) == ("void", 0)
    assert row.outcome == "client_error: upstream_rejected"


async def test_an_answer_that_is_not_understood_is_a_502(tmp_path: Path) -> None:
    async with stack(tmp_path, config={"queue": {"wait_ms_max": 100}}) as s:
        answer = await s.post(chat("[fault:not_json]"))
        assert (answer.status, answer.headers["x-should-retry"]) == (502, "false")
        assert "<html>" not in await answer.text()
        assert s.row().outcome == "target_failed: bad_answer"


async def test_a_replica_that_takes_no_connection_costs_nothing(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[Script(), Script()]) as s:
        await _use_first(s)
        await s.replicas[0].server.stop(grace_s=0.2)
        answer = await s.post(chat())
        assert answer.headers["x-baseload-target"] == "local:r2"
        row = s.row()
        assert (row.attempts, row.outcome) == (2, "ok")
        assert len(s.replicas[0].engine.asked) == 0
