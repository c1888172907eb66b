from __future__ import annotations

from typing import Any

import pytest

from runtime.http.limits import LIMITS
from tests.runtime.http.bodies import (
    chat,
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
        {"pattern": "(a+)+$"},
        {"properties": {"a": {"patternProperties": {}}}},
    ],
)
def test_schemas_are_bounded(schema: dict[str, Any]) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    error = refused(lambda: chat(response_format=form))
    assert error.param == "response_format.json_schema.schema"


def test_a_regex_is_refused_only_where_it_would_be_compiled() -> None:
    schema = {"properties": {"pattern": {"type": "string", "pattern": "^a"}}}
    tool = {"type": "function", "function": {"name": "grep", "parameters": schema}}
    assert sent(chat(tools=[tool]))["tools"] == [tool]
    assert refused(lambda: chat(tools=[tool], tool_choice="required")).param == "tools"
    named_so = {"properties": {"pattern": {"type": "string"}}}
    form = {"type": "json_schema", "json_schema": {"name": "s", "schema": named_so}}
    assert sent(chat(response_format=form))["response_format"] == form
