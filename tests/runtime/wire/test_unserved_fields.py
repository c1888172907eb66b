"""The table of fields that no target is sent: each row of it, and what it is for."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.errors import BadRequest, UnknownField
from runtime.request_limits import LIMITS
from runtime.wire.parse_request import ChatRequest, CompletionRequest
from runtime.wire.unserved_fields import (
    DROPPED,
    DROPPED_IF,
    REFUSED,
    REFUSED_EMPTY,
    REFUSED_IN_MESSAGE,
    REFUSED_INSIDE,
)
from tests.runtime.wire.bodies import TOOL, USER, chat, completion, refused, sent

CHAT, COMPLETION = set(ChatRequest.model_fields), set(CompletionRequest.model_fields)


def test_the_table_and_the_models_do_not_contradict_each_other() -> None:
    assert DROPPED.isdisjoint(CHAT | COMPLETION)
    assert DROPPED.isdisjoint(REFUSED)
    assert REFUSED.keys().isdisjoint(CHAT & COMPLETION)
    assert REFUSED.keys() >= REFUSED_EMPTY
    for field in ("model_fields", "messages", "tools", "stop"):
        assert field not in DROPPED
    inner = {"response_format", "structured_outputs", "chat_template_kwargs"}
    assert {name.partition(".")[0] for name in REFUSED_INSIDE} == inner


@pytest.mark.parametrize("name", sorted(DROPPED | DROPPED_IF.keys()))
def test_what_cannot_change_the_answer_is_dropped_and_named(name: str) -> None:
    for value in (True, "x", {"a": [1, None]}, [{}]) if name in DROPPED else (DROPPED_IF[name],):
        for request in (chat(**{name: value}), completion(**{name: value})):
            assert request.ignored == (name,)
            assert name not in sent(request)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_would_change_it_is_refused_with_what_to_send(name: str) -> None:
    for ask, known in ((chat, CHAT), (completion, COMPLETION)):
        if name in known:
            continue
        error = refused(lambda ask=ask: ask(**{name: "x"}), UnknownField)  # type: ignore[misc]
        assert error.param == name
        assert error.message == f"`{name}` is not served: {REFUSED[name]}."
        if name in REFUSED_EMPTY:
            refused(lambda ask=ask: ask(**{name: False}), UnknownField)  # type: ignore[misc]


@pytest.mark.parametrize("name", sorted((REFUSED.keys() | {"x-new", "logits"}) - CHAT))
def test_null_is_what_was_not_sent(name: str) -> None:
    request = chat(**{name: None})
    assert request.ignored == ()
    assert name not in sent(request)


@pytest.mark.parametrize("empty", [False, 0, "", [], {}])
def test_an_empty_field_that_nobody_knows_is_dropped_and_named(empty: Any) -> None:
    assert chat(watermarks=empty).ignored == ("watermarks",)
    assert (
        "did you mean `temperature`"
        in refused(lambda: chat(temperatur=empty), UnknownField).message
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [("temprature", "temperature"), ("max_token", "max_tokens"), ("respone_format", None)],
)
def test_a_misspelt_name_is_told_the_right_one(name: str, meant: str | None) -> None:
    error = refused(lambda: chat(**{name: 1}), UnknownField)
    assert f"did you mean `{meant or 'response_format'}`?" in error.message


def test_a_body_of_nothing_but_unknown_fields_is_refused_before_each_is_looked_at() -> None:
    many = {f"f{number}": False for number in range(LIMITS.unknown_fields_max + 1)}
    error = refused(lambda: chat(**many), BadRequest)
    assert "more than 64 unknown fields" in error.message


@pytest.mark.parametrize("name", sorted(REFUSED_IN_MESSAGE))
def test_a_message_that_would_be_read_otherwise_is_refused(name: str) -> None:
    error = refused(lambda: chat(messages=[*USER, {**USER[0], name: "x"}]), UnknownField)
    assert error.param == f"messages[1].{name}"
    assert REFUSED_IN_MESSAGE[name] in error.message
    assert chat(messages=[{**USER[0], name: None}]).ignored == ()


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"response_format": {"type": "text", "schema": {}}}, "schema", "json_schema.schema"),
        ({"structured_outputs": {"grammar": "x"}}, "grammar", "json, regex or choice"),
        ({"chat_template_kwargs": {"chat_template": "x"}}, "chat_template", "the model's own"),
        ({"chat_template_kwargs": {"documents": 1}}, "documents", "enable_thinking, thinking"),
    ],
)
def test_unknown_fields_where_all_matter(fields: dict[str, Any], param: str, says: str) -> None:
    error = refused(lambda: chat(**fields), UnknownField)
    assert error.param == f"{next(iter(fields))}.{param}"
    assert says in error.message


def test_a_function_that_is_not_in_its_object_is_asked_for_there() -> None:
    flat = {"type": "function", "name": "f", "parameters": {}}
    for fields in ({"tools": [flat]}, {"tools": [TOOL], "tool_choice": flat}):
        error = refused(lambda fields=fields: chat(**fields))  # type: ignore[misc]
        assert (error.param or "").endswith(".function")
        assert "is required: an object with the function's name" in error.message
