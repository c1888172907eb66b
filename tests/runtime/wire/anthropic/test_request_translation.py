"""Chats as requests to Anthropic's Messages API: what is sent, and what cannot be said there."""

from __future__ import annotations

import json
import warnings
from itertools import pairwise
from typing import Any

import pytest
from anthropic.types import message_create_params as params
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from models.vendors import load_vendors
from runtime.wire.dialect import UpstreamModel
from runtime.wire.openai_dialect import CHAT
from tests.runtime.wire.bodies import TOOL, USER, chat

NAME = "claude-sonnet-4-6"
TERMS = load_vendors().by_name["anthropic"].terms(NAME)
UPSTREAM = UpstreamModel(NAME, is_vendor=True, answer_tokens_max=4_096, terms=TERMS)
CALL = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"q":1}'}}
SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    OFFICIAL: TypeAdapter[Any] = TypeAdapter(params.MessageCreateParams)


def _sent(**fields: Any) -> dict[str, Any]:
    """As Anthropic's own client would check it, too."""
    request = chat(**fields)
    assert CHAT.refused_field(request, UPSTREAM) is None
    call = CHAT.upstream_call(request, UPSTREAM)
    assert call.path == "/messages"
    told: dict[str, Any] = json.loads(call.body)
    OFFICIAL.validate_python(told)
    return told


def _refused(**fields: Any) -> str | None:
    return CHAT.refused_field(chat(**fields), UPSTREAM)


def _text(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}]


def test_the_least_request() -> None:
    assert _sent() == {
        "model": NAME,
        "max_tokens": 4_096,
        "messages": [{"role": "user", "content": _text("hi")}],
    }


def test_every_field_that_has_a_counterpart() -> None:
    told = _sent(
        max_completion_tokens=5,
        temperature=0.5,
        top_k=40,
        stop=["a", "b"],
        stream=True,
        stream_options={"include_usage": True},
        tools=[TOOL],
        tool_choice="required",
        parallel_tool_calls=False,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "x", "schema": SCHEMA, "strict": True},
        },
    )
    del told["messages"]
    assert told == {
        "model": NAME,
        "max_tokens": 5,
        "temperature": 0.5,
        "top_k": 40,
        "stop_sequences": ["a", "b"],
        "stream": True,
        "tools": [{"name": "look_up", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    }


def test_what_the_system_says_stands_before_the_conversation() -> None:
    told = _sent(
        messages=[
            {"role": "system", "content": "be brief"},
            {"role": "developer", "content": _text("be kind")},
            *USER,
        ]
    )
    assert told["system"] == _text("be brief") + _text("be kind")
    assert told["messages"] == [{"role": "user", "content": _text("hi")}]


def test_calls_and_their_results() -> None:
    second = {**CALL, "id": "functions.look_up:0"}
    told = _sent(
        tools=[TOOL],
        messages=[
            *USER,
            {"role": "assistant", "content": "\n", "tool_calls": [CALL, second]},
            {"role": "tool", "tool_call_id": "call_1", "content": "wet"},
            {"role": "tool", "tool_call_id": "functions.look_up:0", "content": ""},
            {"role": "user", "content": "so?"},
        ],
    )
    uses = [
        {"type": "tool_use", "id": each, "name": "look_up", "input": {"q": 1}}
        for each in ("call_1", "functions_look_up_0")
    ]
    assert told["messages"][1:] == [
        {"role": "assistant", "content": uses},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": _text("wet")},
                {"type": "tool_result", "tool_use_id": "functions_look_up_0"},
                *_text("so?"),
            ],
        },
    ]


def test_two_ids_stay_two() -> None:
    calls = [{**CALL, "id": name} for name in ("a.1", "a:1", "a_1")]
    results = [{"role": "tool", "tool_call_id": each["id"], "content": "x"} for each in calls]
    turns = [*USER, {"role": "assistant", "tool_calls": calls}, *results]
    told = _sent(tools=[TOOL], messages=turns)["messages"]
    ids = [block["id"] for block in told[1]["content"]]
    assert len(set(ids)) == 3
    assert ids == [block["tool_use_id"] for block in told[2]["content"]]


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        (
            {"type": "function", "function": {"name": "look_up"}},
            {"type": "tool", "name": "look_up"},
        ),
    ],
)
def test_which_tool_is_called(choice: Any, told: dict[str, Any]) -> None:
    assert _sent(tools=[TOOL], tool_choice=choice)["tool_choice"] == told


def test_a_tool_without_parameters_and_one_with_all() -> None:
    full = {"name": "b", "description": "d", "parameters": SCHEMA}
    told = _sent(
        tools=[
            {"type": "function", "function": {"name": "a"}},
            {"type": "function", "function": full},
        ]
    )
    assert told["tools"] == [
        {"name": "a", "input_schema": {"type": "object", "properties": {}}},
        {"name": "b", "description": "d", "input_schema": SCHEMA},
    ]


def test_values_that_ask_for_what_is_done_anyway_are_not_sent() -> None:
    neutral = {
        "n": 1,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "logit_bias": {},
        "logprobs": False,
        "top_logprobs": 0,
        "parallel_tool_calls": True,
        "response_format": {"type": "text"},
        "top_k": -1,
        "tools": [],
    }
    assert _sent(**neutral) == _sent()


def test_a_seed_is_left_out_and_told() -> None:
    request = chat(seed=7, top_k=3, min_p=0.1)
    assert "seed" not in _sent(seed=7)
    told = dict(request.ignored_header(bought=True, terms=TERMS))
    assert told == {b"x-baseload-ignored": b"min_p, seed"}


LAX = {"name": "x", "schema": {}}
ASSISTANT = {"role": "assistant", "content": "and then"}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"n": 2}, "n"),
        ({"presence_penalty": 0.1}, "presence_penalty"),
        ({"frequency_penalty": 0.1}, "frequency_penalty"),
        ({"logit_bias": {"7": 1}}, "logit_bias"),
        ({"logprobs": True}, "logprobs"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"temperature": 1.1}, "temperature"),
        ({"temperature": 0.5, "top_p": 0.5}, "temperature"),
        ({"stop": ["\n"]}, "stop"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        (
            {"response_format": {"type": "json_schema", "json_schema": LAX}},
            "response_format",
        ),
        ({"messages": [{**USER[0], "name": "ann"}]}, "messages.name"),
        ({"messages": [*USER, {"role": "system", "content": "x"}, *USER]}, "messages.role"),
        ({"messages": [*USER, ASSISTANT]}, "messages"),
        ({"messages": [ASSISTANT, *USER]}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages.content"),
        (
            {"messages": [*USER, {"role": "assistant", "tool_calls": [CALL]},
                          {"role": "tool", "tool_call_id": "call_1", "content": "x"}]},
            "tools",
        ),
        (
            {"tools": [TOOL], "messages": [*USER, {"role": "assistant", "tool_calls": [
                {**CALL, "function": {"name": "look_up", "arguments": "{"}}]}, *USER]},
            "messages.tool_calls.function.arguments",
        ),
        (
            {"tools": [TOOL], "messages": [*USER, {"role": "assistant", "tool_calls": [
                {**CALL, "function": {"name": "look up", "arguments": "{}"}}]}, *USER]},
            "messages.tool_calls.function.name",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "look.up"}}]},
            "tools.function.name",
        ),
        (
            {"tools": [{"type": "function", "function": {
                "name": "x", "parameters": {"anyOf": [{"type": "object"}]}}}]},
            "tools.function.parameters",
        ),
        (
            {"tools": [{"type": "function", "function": {**TOOL["function"], "strict": True}}]},
            "tools.strict",
        ),
        ({"stop_token_ids": [7]}, "stop_token_ids"),
        ({"chat_template_kwargs": {"enable_thinking": False}}, "chat_template_kwargs"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_there_is_named(fields: dict[str, Any], named: str) -> None:
    assert _refused(**fields) == named


def test_a_bound_on_the_answer_has_to_be_said() -> None:
    unbounded = UpstreamModel(NAME, is_vendor=True, terms=TERMS)
    assert CHAT.refused_field(chat(), unbounded) == "max_tokens"
    assert CHAT.refused_field(chat(max_tokens=5), unbounded) is None


_WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)
_MESSAGES = st.lists(
    st.one_of(
        st.builds(lambda role, text: {"role": role, "content": text},
                  st.sampled_from(["user", "assistant", "system", "developer"]), _WORDS),
        st.builds(lambda text: {"role": "assistant", "tool_calls": [
            {**CALL, "function": {"name": "look_up", "arguments": text}}]},
            _WORDS | st.just("{}")),
        st.builds(lambda text: {"role": "tool", "tool_call_id": "call_1", "content": text}, _WORDS),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(_MESSAGES, st.booleans())
def test_every_conversation_is_refused_or_said_whole(
    messages: list[dict[str, Any]], has_tools: bool
) -> None:
    fields: dict[str, Any] = {"messages": [*messages, *USER]}
    request = chat(**fields, **({"tools": [TOOL]} if has_tools else {}))
    if CHAT.refused_field(request, UPSTREAM) is not None:
        return
    told = json.loads(CHAT.upstream_call(request, UPSTREAM).body)
    OFFICIAL.validate_python(told)
    roles = [turn["role"] for turn in told["messages"]]
    assert roles[0] == roles[-1] == "user"
    assert all(one != other for one, other in pairwise(roles))
    blocks = [*told.get("system", ()), *(b for turn in told["messages"] for b in turn["content"])]
    parts = [*blocks, *(part for b in blocks for part in b.get("content", ()))]
    said = [part["text"] for part in parts if part["type"] == "text"]
    asked = [m["content"] for m in fields["messages"] if (m.get("content") or "").strip()]
    assert sorted(said) == sorted(asked)
