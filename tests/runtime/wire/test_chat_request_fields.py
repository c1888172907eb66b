from __future__ import annotations

from typing import Any

import pytest

from tests.runtime.wire.bodies import (
    TOOL,
    USER,
    chat,
    refused,
    sent,
)


def test_targets_get_one_name_for_the_bound_and_for_the_system() -> None:
    told = sent(
        chat(
            max_tokens=9,
            max_completion_tokens=5,
            messages=[{"role": "developer", "content": "be short"}, *USER],
            tools=[],
            tool_choice="none",
        )
    )
    assert told["max_tokens"] == 5
    assert told["messages"][0] == {"role": "system", "content": "be short"}
    assert told.keys() == {"model", "messages", "max_tokens"}


def test_an_answer_of_the_official_client_can_be_sent_back() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
    answer = {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "audio": None,
        "function_call": None,
        "tool_calls": [call],
        "reasoning": None,
    }
    result = {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "42"}]}
    told = sent(chat(messages=[*USER, answer, result]))["messages"]
    assert told == [*USER, {"role": "assistant", "tool_calls": [call]}, result]


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "a string or a"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "required"),
        ({"messages": [{"content": "a"}]}, "messages[0].role", "required"),
        ({"messages": [{"role": "bob", "content": "a"}]}, "messages[0].role", "'assistant'"),
        ({"messages": []}, "messages", "at least 1"),
        ({"messages": USER * 10_000}, "messages", "at most 1024"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "messages[0].content[0].type",
            "images are not served yet",
        ),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].tool_call_id", "tool"),
        ({"model": "a\nb"}, "model", "character"),
        ({"model": None}, "model", "string"),
        ({"temperature": "1"}, "temperature", "number"),
        ({"temperature": True}, "temperature", "number"),
        ({"temperature": 2.1}, "temperature", "at most 2"),
        ({"top_p": 0}, "top_p", "above 0"),
        ({"n": 10**6}, "n", "at most 8"),
        ({"n": 1.5}, "n", "integer"),
        ({"max_tokens": 10**9}, "max_tokens", "at most"),
        ({"max_tokens": 0}, "max_tokens", "at least 1"),
        ({"seed": 10**30}, "seed", "at most"),
        ({"stream": "yes"}, "stream", "true or false"),
        ({"stop": ["a"] * 17}, "stop", "at most 16 item(s), not 17"),
        ({"stop": 5}, "stop", "a string or a list of strings, not an integer"),
        ({"stop": [""]}, "stop[0]", "at least 1"),
        ({"logit_bias": {"x": 1}}, "logit_bias.x", "character"),
        ({"top_logprobs": 1}, "top_logprobs", "logprobs is true"),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs", "at most 20"),
        ({"min_tokens": 9, "max_tokens": 8}, "min_tokens", "exceed"),
        ({"tool_choice": "required"}, "tool_choice", "with tools"),
        ({"tools": [TOOL] * 129}, "tools", "at most 128"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "other"}}},
            "tool_choice.function.name",
            "one of the tools",
        ),
        (
            {"response_format": {"type": "json_schema"}},
            "response_format.json_schema",
            "must be sent",
        ),
    ],
)
def test_bad_values_are_named_by_their_path(fields: dict[str, Any], param: str, says: str) -> None:
    error = refused(lambda: chat(**fields))
    assert error.param == param
    assert says in error.message
    assert f"`{param}`" in error.message


def test_what_a_chat_knows_of_itself() -> None:
    request = chat(
        stream=True,
        stream_options={"include_usage": True},
        n=3,
        max_completion_tokens=7,
        messages=[{"role": "user", "content": [{"type": "text", "text": "中a"}]}],
    )
    assert (request.streaming, request.wants_usage, request.choices) == (True, True, 3)
    assert list(request.texts()) == ["中a"]
    assert (request.output_tokens_max(100), request.output_tokens_max(5)) == (7, 5)
    plain = chat()
    assert (plain.streaming, plain.wants_usage, plain.choices) == (False, False, 1)
    assert plain.output_tokens_max(100) == 100
    assert list(chat(tools=[TOOL]).texts()) == ["hi", chat(tools=[TOOL]).tools_text]


def test_half_a_character_in_a_calls_arguments_is_refused_with_its_place() -> None:
    def asked(arguments: str) -> Any:
        call = {"id": "1", "function": {"name": "f", "arguments": arguments}}
        return chat(messages=[{"role": "assistant", "tool_calls": [call]}])

    for half in (r'{"a": "\ud800"}', r'{"\uDFFF": 1}', r'["\ud800\ud800"]'):
        error = refused(lambda half=half: asked(half))  # type: ignore[misc]
        assert error.param == "messages[0].tool_calls[0].function.arguments"
        assert "lone surrogates" in error.message
    for whole in (r'{"a": "\ud83d\ude00"}', r'{"a": "\\ud800"}', r"no JSON \ud800"):
        asked(whole)
