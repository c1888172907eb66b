"""Anthropic's whole answers as chat completions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from runtime.wire.anthropic.answer_translation import chat_answer
from runtime.wire.reported_usage import Usage
from runtime.wire.unstreamed_answer import OpenAIAnswer
from tests.runtime.wire.anthropic import answers as an

ASKED_S = 1_700_000_000


def _answer(body: bytes) -> OpenAIAnswer:
    return OpenAIAnswer(chat_answer(body, ASKED_S), 1)


def _message(body: bytes) -> dict[str, Any]:
    told = json.loads(chat_answer(body, ASKED_S))
    ChatCompletion.model_validate(told)
    message: dict[str, Any] = told["choices"][0]["message"]
    return message


def test_words_thoughts_and_calls() -> None:
    call = {**an.TOOL_USE, "input": {"q": "水"}}
    thinking = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    text = {"type": "text", "text": "the "}
    body = an.message(thinking, text, {**text, "text": "river"}, call, reason="tool_use")
    message = _message(body)
    assert message == {
        "role": "assistant",
        "content": "the river",
        "reasoning_content": "hm",
        "tool_calls": [
            {
                "id": "toolu_1",
                "type": "function",
                "function": {"name": "look_up", "arguments": '{"q": "水"}'},
            }
        ],
    }
    answer = _answer(body)
    assert (answer.fault, answer.error, answer.cut_off) == (None, None, False)
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (8, 2)
    assert "c2ln" not in answer.body.decode()
    assert json.loads(answer.body)["choices"][0]["finish_reason"] == "tool_calls"


def test_a_call_alone_has_no_words() -> None:
    message = _message(an.message(an.TOOL_USE, reason="tool_use"))
    assert message["content"] is None
    assert message["tool_calls"][0]["function"]["arguments"] == "{}"


def test_what_came_from_a_cache_is_a_part_of_the_prompt() -> None:
    told = {"input_tokens": 8, "cache_read_input_tokens": 900, "output_tokens": 2}
    usage = {**told, "cache_creation_input_tokens": 92}
    answer = _answer(an.message(usage=usage))
    assert answer.usage == Usage(1_000, 900, 2, None, 1_002)
    assert answer.usage.output_tokens == 2


@pytest.mark.parametrize(
    ("kind", "status"), [("overloaded_error", 529), ("invalid_request_error", 400)]
)
def test_an_error_under_a_good_status_is_one(kind: str, status: int) -> None:
    answer = _answer(json.dumps(an.failed(kind)).encode())
    assert answer.fault is not None
    assert answer.error is not None
    assert answer.error["error"]["status"] == status
    assert answer.error["error"]["message"] == "Overloaded"


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"\xff", b"[" * 9_999, an.message(reason=None), an.message(content="x")],
)
def test_what_is_no_answer_has_a_fault(body: bytes) -> None:
    assert _answer(body).fault is not None


def test_a_limit_that_ended_an_answer_is_known() -> None:
    assert _answer(an.message(reason="max_tokens")).cut_off


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
_BLOCK = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "thinking", "tool_use", "other"])},
    optional=dict.fromkeys(("text", "thinking", "id", "name", "input"), _JSON),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_BLOCK, max_size=3) | _JSON, _JSON | st.just("end_turn"), _JSON)
def test_no_answer_is_an_exception(content: Any, reason: Any, usage: Any) -> None:
    body = json.dumps({"content": content, "stop_reason": reason, "usage": usage}).encode()
    answer = _answer(body)
    assert answer.tokens(len) >= 0
