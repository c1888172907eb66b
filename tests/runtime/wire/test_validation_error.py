from __future__ import annotations

import json
from typing import Any

import pytest

from runtime.errors import BaseloadError, UnknownField
from runtime.request_limits import refusals
from runtime.wire.error_envelope import OPENAI_ERRORS
from tests.runtime.wire.bodies import (
    TOOL,
    USER,
    chat,
    refused,
)


def test_bounds_count_when_they_refuse_and_never_under_a_name_of_the_callers() -> None:
    before = set(refusals)
    refused(lambda: chat(n=10**6))
    refused(lambda: chat(chat_template_kwargs={"date_string": "x" * 65}))
    refused(lambda: chat(logit_bias={"123": 1000}))
    assert {"n", "chat_template_kwargs.date_string", "logit_bias"} <= set(refusals)
    assert not any("canary" in name or "123" in name for name in set(refusals) - before)


def test_errors_quote_little_and_stay_printable() -> None:
    for key in ("k" * 10_000, "\x00\r\n", "中" * 500, "\ud800"):
        with pytest.raises(BaseloadError) as caught:
            chat(**{key: 1})
        told = OPENAI_ERRORS.envelope(caught.value, "r")
        assert len(json.dumps(told, ensure_ascii=False).encode()) < 1000
        assert "nput should" not in caught.value.message
        assert (caught.value.param or "").isprintable()


def test_lone_surrogates_are_refused_everywhere() -> None:
    refused(lambda: chat(messages=[{"role": "user", "content": "\ud800"}]))
    deep = {"a": {"\udfff": ["\ud800"]}}
    tool = {"type": "function", "function": {"name": "f", "parameters": deep}}
    assert refused(lambda: chat(tools=[tool])).param == "tools[0].function.parameters"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"foo": 1}, "foo"),
        ({"priority": -1}, "priority"),
        ({"chat_template": "{{ x }}"}, "chat_template"),
        ({"prompt_logprobs": 1}, "prompt_logprobs"),
        ({"messages": [{**USER[0], "prefix": True}]}, "messages[0].prefix"),
        ({"stream": True, "stream_options": {"x": 1}}, "stream_options.x"),
        ({"chat_template_kwargs": {"tools": 1}}, "chat_template_kwargs.tools"),
        ({"response_format": {"type": "text", "x": 1}}, "response_format.x"),
    ],
)
def test_unknown_fields_are_refused_at_every_level(fields: dict[str, Any], param: str) -> None:
    assert refused(lambda: chat(**fields), UnknownField).param == param


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": 5}}},
            "tool_choice.function.name",
            "must be a string, not an integer",
        ),
        ({"tools": [TOOL], "tool_choice": []}, "tool_choice", "one named function, not a list"),
        ({"tools": [TOOL], "tool_choice": "any"}, "tool_choice", "must be 'none', 'auto'"),
        ({"messages": [{**USER[0], "content": [{"type": "text", "text": {}}]}]}, None, "an object"),
        ({"messages": {"role": "user"}}, "messages", "must be a list, not an object"),
        ({"messages": ["hi"]}, "messages[0]", "must be an object, not a string"),
        ({"logprobs": 5}, "logprobs", "must be true or false, not an integer"),
        ({"max_tokens": None, "n": True}, "n", "must be an integer, not a boolean"),
    ],
)
def test_what_was_expected_and_what_came(
    fields: dict[str, Any], param: str | None, says: str
) -> None:
    error = refused(lambda: chat(**fields))
    assert error.param == (param or "messages[0].content[0].text")
    assert says in error.message
