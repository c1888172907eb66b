from __future__ import annotations

import json
from typing import Any

import pytest

from runtime.request_limits import LIMITS
from tests.runtime.wire.bodies import (
    TOOL,
    chat,
    completion,
    refused,
    sent,
)


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        nested(40),
        {"enum": ["x" * LIMITS.schema_bytes_max]},
        {"enum": [0] * (LIMITS.schema_nodes_max + 1)},
        {"maximum": 10**40},
    ],
)
def test_schemas_are_bounded(schema: dict[str, Any]) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    error = refused(lambda: chat(response_format=form))
    assert error.param == "response_format.json_schema.schema"


SCHEMA = {"type": "object", "properties": {"pattern": {"type": "string", "pattern": "^a$"}}}
AT = ("tools", 1, "function", "parameters")


@pytest.mark.parametrize(
    ("choice", "strict", "compiled"),
    [
        ("auto", None, False),
        (None, False, False),
        ("none", True, False),
        ("auto", True, True),
        (None, True, True),
        ("required", None, False),
        ("required", True, True),
        ({"type": "function", "function": {"name": "grep"}}, None, False),
        ({"type": "function", "function": {"name": "grep"}}, True, True),
        ({"type": "function", "function": {"name": "look_up"}}, False, False),
    ],
)
def test_a_regex_of_a_tool_is_checked_only_where_it_is_compiled(
    choice: Any, strict: bool | None, compiled: bool
) -> None:
    tool = {"type": "function", "function": {"name": "grep", "parameters": SCHEMA}}
    if strict is not None:
        tool["function"]["strict"] = strict  # type: ignore[index]
    request = chat(tools=[TOOL, tool], tool_choice=choice)
    assert sent(request, openai_only=True)["tools"] == [TOOL, tool]
    assert [each.at for each in request.constraints] == ([AT] if compiled else [])
    unfit: dict[str, Any] = {"allOf": [{}, {}]}
    tool["function"] = {**tool["function"], "parameters": unfit}  # type: ignore[dict-item]
    if compiled:
        error = refused(lambda: chat(tools=[TOOL, tool], tool_choice=choice))
        assert error.param == "tools[1].function.parameters.allOf"
    else:
        assert sent(chat(tools=[TOOL, tool], tool_choice=choice))["tools"][1] == tool


def test_a_regex_of_an_answers_form_is_checked() -> None:
    form: dict[str, Any] = {
        "type": "json_schema",
        "json_schema": {"name": "s", "schema": SCHEMA},
    }
    (constraint,) = chat(response_format=form).constraints
    assert constraint.at == ("response_format", "json_schema", "schema")
    assert constraint.patterns == ((("properties", "pattern", "pattern"), "^a$"),)
    assert (constraint.kind, json.loads(constraint.text)) == ("json", SCHEMA)
    assert chat(structured_outputs={"json": SCHEMA}).constraints[0].kind == "json"
    (constraint,) = completion(structured_outputs={"regex": "a|b"}).constraints
    assert (constraint.kind, constraint.text) == ("regex", "a|b")
    form["json_schema"]["schema"] = {"type": "string", "pattern": "a"}
    told = sent(chat(response_format=form))["response_format"]["json_schema"]["schema"]
    assert told == {"type": "string", "pattern": "^.*(?:a).*$"}
    assert chat(structured_outputs={"json_object": True}).constraints == ()
    assert chat(response_format={"type": "json_object"}).constraints == ()
    named_so = {"properties": {"pattern": {"type": "string"}}}
    form = {"type": "json_schema", "json_schema": {"name": "s", "schema": named_so}}
    assert chat(response_format=form).constraints == ()


def _form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}


def _record(count: int, **more: Any) -> dict[str, Any]:
    properties = {f"p{index}": {"type": "string"} for index in range(count)}
    return {"type": "object", "properties": properties, **more}


def test_what_is_not_plain_is_checked() -> None:
    assert chat(response_format=_form(_record(9))).constraints == ()
    for schema in (
        _record(9, minProperties=3),
        _record(LIMITS.plain_schema_nodes_max),
        {"$ref": "#"},
    ):
        (constraint,) = chat(response_format=_form(schema)).constraints
        assert json.loads(constraint.text) == schema


def test_many_plain_schemas_are_not_plain_together() -> None:
    tools = [
        {"type": "function", "function": {"name": f"f{index}", "parameters": _record(30)}}
        for index in range(3)
    ]
    strict = [{**tool, "function": {**tool["function"], "strict": True}} for tool in tools]  # type: ignore[dict-item]
    (constraint,) = chat(tools=strict, tool_choice="required").constraints
    assert constraint.at == ("tools", 2, "function", "parameters")
    assert chat(tools=tools).constraints == ()


@pytest.mark.parametrize(
    "choice", ["required", "auto", {"type": "function", "function": {"name": "grep"}}]
)
def test_what_is_strict_is_as_the_caller_said(choice: Any) -> None:
    """Else a model that never closes a text would never end the call that it is forced to."""
    tool = {"type": "function", "function": {"name": "grep", "strict": False}}
    assert sent(chat(tools=[TOOL, tool], tool_choice=choice))["tools"] == [TOOL, tool]


@pytest.mark.parametrize("name", ['a"b', "a\\b"])
def test_a_name_that_breaks_a_grammar_is_refused_where_one_spells_it(name: str) -> None:
    odd: dict[str, Any] = {"type": "function", "function": {"name": name}}
    strict = {"type": "function", "function": {**TOOL["function"], "strict": True}}
    named = {"type": "function", "function": {"name": "look_up"}}
    for fields in (
        {"tools": [TOOL, odd], "tool_choice": "required"},
        {"tools": [TOOL, odd], "tool_choice": odd},
        {"tools": [strict, odd]},
    ):
        error = refused(lambda fields=fields: chat(**fields))  # type: ignore[misc]
        assert error.param == "tools[1].function.name"
        assert "quotes and backslashes" in error.message
    assert sent(chat(tools=[TOOL, odd]))["tools"] == [TOOL, odd]
    assert sent(chat(tools=[TOOL, odd], tool_choice=named))["tools"][1] == odd


def test_what_a_forced_call_leaves_without_effect_is_named() -> None:
    fields: dict[str, Any] = {"tools": [TOOL], "response_format": {"type": "json_object"}}
    outputs = {"structured_outputs": {"choice": ["a"]}, "ignore_eos": True}
    assert chat(**fields, tool_choice="required").ignored == ("response_format",)
    assert chat(**fields, tool_choice="auto").ignored == ()
    request = chat(tools=[TOOL], tool_choice="required", **outputs)
    assert set(request.ignored) == {"structured_outputs", "ignore_eos"}


def test_an_answer_with_a_form_ends_where_the_form_does() -> None:
    for form in (
        {"structured_outputs": {"choice": ["a"]}},
        {"response_format": {"type": "json_object"}},
    ):
        for request in (chat(ignore_eos=True, **form), completion(ignore_eos=True, **form)):
            assert request.ignored == ("ignore_eos",)
            assert "ignore_eos" not in sent(request)
    request = chat(ignore_eos=True, response_format={"type": "text"})
    assert request.ignored == ()
    assert sent(request)["ignore_eos"] is True
