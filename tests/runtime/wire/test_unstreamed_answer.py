"""What may be sent of an answer in one piece, and what it says of itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtime.wire.choices import CUT_OFF_REASONS, FAILURE_REASONS
from runtime.wire.unstreamed_answer import OpenAIAnswer


def choice(text: str | None = "river", finish: Any = "stop", **more: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": text}
    return {"index": 0, "message": said, "finish_reason": finish, **more}


def read(told: Any, choices: int = 1) -> OpenAIAnswer:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    answer = OpenAIAnswer(body, choices)
    assert answer.body is body
    return answer


CALL = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f"}}]}


@pytest.mark.parametrize(
    "told",
    [
        {"choices": [choice()]},
        {"choices": [choice()], "error": None},
        {"choices": [choice("")]},  # the model had nothing to say
        {"choices": [choice(message=CALL, finish_reason="tool_calls")]},
        {"choices": [choice(None, "content_filter")]},
        {"choices": [{"index": 0, "text": "river", "finish_reason": "length"}]},
        {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]},
    ],
)
def test_what_may_be_sent(told: Any) -> None:
    assert read(told).fault is None


@pytest.mark.parametrize(
    "told",
    [
        b"<html>Bad gateway</html>",
        b"",
        b"[]",
        b'"river"',
        b'{"choices": [' + b"[" * 5_000,
        {},
        {"choices": None},
        {"choices": []},
        {"choices": {"0": choice()}},
        {"choices": [None]},
        {"choices": [{"index": 0, "finish_reason": "stop"}]},
        {"choices": [choice(message=None)]},
        {"choices": [choice(finish=None)]},
        {"choices": [choice(finish="")]},
        {"choices": [choice(finish="null")]},
        {"object": "error", "message": "no"},
        {"type": "error", "error": {}},
        {"error": {"code": 429}},
        {"error": "no", "choices": [choice()]},
        *({"choices": [choice(finish=reason)]} for reason in sorted(FAILURE_REASONS)),
    ],
)
def test_what_may_not(told: Any) -> None:
    assert read(told).fault


def test_an_error_is_kept() -> None:
    told = {"error": {"code": 429}, "usage": {"prompt_tokens": 3, "completion_tokens": 0}}
    answer = read(told)
    assert answer.error == told
    assert answer.usage is not None
    assert read({"choices": []}).error is None


@pytest.mark.parametrize("count", [1, 2, 3])
def test_as_many_answers_as_were_asked_for(count: int) -> None:
    told = {"choices": [choice(index=index) for index in range(count)]}
    assert (read(told, 2).fault is None) == (count >= 2)
    half = {"choices": [choice(), choice(finish=None)]}
    assert read(half, 2).fault == "1 of 2 answers are complete"


def test_what_it_says_of_itself() -> None:
    told = {"choices": [choice("a"), choice("bc", "length")], "usage": {"prompt_tokens": 7}}
    answer = read(told, 2)
    assert answer.tokens(len) == 3
    assert answer.cut_off
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 7
    for reason in CUT_OFF_REASONS:
        assert read({"choices": [choice(finish=reason)]}).cut_off
    assert not read({"choices": [choice()]}).cut_off
    assert read(b"[]").tokens(len) == 0
