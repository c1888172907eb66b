"""C10, C11: what no twin goes on with, and what its client and the ledger are told then."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.fault_script import Fault, Script
from scheduler.pool.circuit_breaker import BreakerState
from tests.runtime.greedy import GREEDY, SAID, TOKENS, breaks, told
from tests.runtime.parts import chat, stack, until
from tests.runtime.vendors import settled

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
NOT_GONE_ON_WITH: dict[str, dict[str, Any]] = {
    "a chance": {"temperature": 0.7},
    "the model's own temperature": {"temperature": None},
    "several answers": {"n": 2},
    "tools": {"tools": [TOOL]},
    "a grammar": {"response_format": {"type": "json_object"}},
    "a choice": {"structured_outputs": {"choice": ["a", "b"]}},
    "a penalty on what was said": {"presence_penalty": 0.5},
    "words that must not be said": {"bad_words": ["never"]},
    "logprobs": {"logprobs": True},
    "ids for the client": {"return_token_ids": True},
    "a stop text that is told": {"stop": ["x"], "include_stop_str_in_output": True},
}


@pytest.mark.parametrize("name", NOT_GONE_ON_WITH)
async def test_c10_c11_what_depends_on_more_than_the_prompt_ends_in_an_error(
    tmp_path: Path, name: str
) -> None:
    body = {**chat(max_tokens=TOKENS, **GREEDY), **NOT_GONE_ON_WITH[name]}
    async with stack(tmp_path, scripts=breaks()) as s:
        frames = await told(s, body)
        await s.idle()
        assert frames[-1]["error"]["code"] == "incomplete_stream"
        assert len(settled(s)) == 1
        assert not s.replicas[1].engine.asked
        is_asked = s.replicas[0].engine.asked[0].body.get("return_token_ids")
        assert bool(is_asked) == (name == "ids for the client")


@pytest.mark.parametrize(
    "config", [{"stream": {"continue_on_twin": False}}, {"stream": {"attempts_max": 1}}]
)
async def test_it_can_be_switched_off_and_counts_as_an_attempt(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    async with stack(tmp_path, scripts=breaks(), config=config) as s:
        frames = await told(s, chat(max_tokens=TOKENS, **GREEDY))
        assert frames[-1]["error"]["code"] == "incomplete_stream"
        await s.idle()
        (first,) = s.replicas[0].engine.asked
        assert "return_token_ids" not in first.body
        assert not s.replicas[1].engine.asked


async def test_one_replica_alone_is_not_asked_for_ids(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=breaks()[:1], sells=True) as s:
        frames = await told(s, chat(max_tokens=TOKENS, **GREEDY))
        assert frames[-1]["error"]["code"] == "incomplete_stream"
        assert frames[-1]["error"]["tokens_billed"] == SAID
        await s.idle()
        (asked,) = s.replicas[0].engine.asked
        assert "return_token_ids" not in asked.body
        assert not s.vendor.engine.asked


async def test_the_error_of_a_rest_tells_the_tokens_of_the_whole_answer(tmp_path: Path) -> None:
    twins = [*breaks(after_tokens=3)[:1], *breaks(after_tokens=SAID)]
    async with stack(tmp_path, scripts=twins) as s:
        frames = await told(s, chat(max_tokens=TOKENS, **GREEDY))
        await s.idle()
        (row,) = settled(s)
    assert frames[-1]["error"]["code"] == "incomplete_stream"
    assert frames[-1]["error"]["tokens_billed"] == row["completion_tokens"] == SAID
    assert row["outcome"] == "target_failed: incomplete_stream"


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.BUSY, Fault.DIE, Fault.REJECT])
async def test_a_twin_that_does_not_begin_leaves_the_error_and_the_bill(
    tmp_path: Path, fault: Fault
) -> None:
    twins = [*breaks()[:1], Script(fault=fault)]
    async with stack(tmp_path, scripts=twins) as s:
        frames = await told(s, chat(max_tokens=TOKENS, **GREEDY))
        await s.idle()
        (row,) = settled(s)
    assert frames[-1]["error"]["code"] == "incomplete_stream"
    assert frames[-1]["error"]["tokens_billed"] == row["completion_tokens"] == SAID
    assert row["outcome"] == "target_failed: incomplete_stream"
    assert "continued" not in row["derivation"]


async def test_c11_a_replica_that_says_something_else_is_no_twin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has answered, so it has not failed; what it says does not reach the client."""
    async with stack(tmp_path, scripts=breaks()) as s:
        first, second = (each.engine for each in s.replicas)
        respond = second.app.complete

        async def other(request: Any) -> Any:
            play: Any = await respond(request)
            play.answer._said += 1
            return play

        monkeypatch.setattr(second.app, "complete", other)
        second.app.__post_init__()
        frames = await told(s, chat(max_tokens=TOKENS, **GREEDY))
        await s.idle()
        assert len(first.asked) == len(second.asked) == 1
        assert frames[-1]["error"]["code"] == "incomplete_stream"
        said = [each["choices"][0]["delta"]["content"] for each in frames[:-1]]
        assert "".join(said) == "the river turned its old wheel and she"
        replicas = s.gateway._scheduler.snapshot(s.gateway.clock.monotonic_s()).replicas
        states = {each.target.id: each.breaker.state for each in replicas}
        assert states["r2"] is BreakerState.CLOSED
        assert s.gateway._scheduler._replicas["r2"].breaker._failures == 0


async def test_a_client_that_leaves_while_no_twin_has_room_is_billed_once(tmp_path: Path) -> None:
    scripts = [Script(), Script()]
    async with stack(tmp_path, scripts=scripts, max_num_seqs=1) as s:
        first, second = (each.engine for each in s.replicas)
        first.turnstile.hold(after_tokens=SAID)
        second.turnstile.hold(after_tokens=1)
        answer = await s.post(chat(max_tokens=TOKENS, **GREEDY))
        other = await s.post(chat(stream=True))
        await until(lambda: s.asked == 2)
        await asyncio.sleep(0.2)
        await s.replicas[0].server.stop(grace_s=0.0)
        await asyncio.sleep(0.2)
        answer.close()
        await until(lambda: len(settled(s)) == 1)
        second.turnstile.open()
        await other.read()
        await s.idle()
        first_row = next(row for row in settled(s) if row["outcome"] != "ok")
    assert first_row["outcome"] == "client_left"
    assert first_row["completion_tokens"] == SAID
