"""What reaches engines without a check, measured at its bound."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtime.grammar.trivial_schemas import plain_nodes
from runtime.request_limits import LIMITS

STRING = {"type": "string"}
MOST = LIMITS.plain_schema_nodes_max
PLAIN_S_MAX = 4.0  # of one thread; measured: 1.3 s


def of(count: int, schema: dict[str, Any], name: str = "p") -> dict[str, Any]:
    return {f"{name}{index}": schema for index in range(count)}


def nested(ref: dict[str, Any], inner: dict[str, Any] | None = None) -> dict[str, Any]:
    """A record in a record, as pydantic writes it."""
    record = inner or {"type": "object", "properties": {"a": STRING}}
    return {"$defs": {"A": record}, "type": "object", "properties": {"r": ref}}


@pytest.mark.parametrize(
    ("schema", "nodes"),
    [
        ({}, 1),
        ({"type": "object", "title": "A", "properties": {"a": STRING, "b": {}}}, 3),
        ({"type": "object", "properties": {"a": STRING}, "required": ["a"]}, 3),
        ({"type": "array", "items": {"anyOf": [STRING, {"type": "null"}]}}, 4),
        ({"enum": ["a", "b"], "type": "string"}, 3),
        ({"type": "object", "additionalProperties": {"const": 1}}, 2),
        ({"type": "object", "additionalProperties": False}, 1),
        ({"type": "string", "format": "date", "minLength": 1}, 1),
        ({"type": "string", "format": "uri"}, None),
        ({"type": "string", "minLength": 2}, None),
        ({"type": "string", "maxLength": 1}, None),
        ({"type": "string", "pattern": "a"}, None),
        ({"type": "object", "minProperties": 1}, None),
        ({"type": "array", "maxItems": 1}, None),
        ({"type": "number", "minimum": 1}, None),
        ({"type": ["string", "null"]}, None),
        ({"type": "foo"}, None),
        ({"format": []}, None),
        ({"$ref": "#"}, None),
        ({"$defs": {}}, None),
        (nested({"$ref": "#/$defs/A"}), 6),
        (nested({"$ref": "#/$defs/A", "description": "d"}), 6),
        (nested({"$ref": "#/$defs/A", "type": "object"}), None),
        (nested({"$ref": "#/$defs/B"}), None),
        (nested({"$ref": "#/definitions/A"}), None),
        (nested({"$ref": "#"}), None),
        (nested({"$ref": "#/$defs/A"}, {"items": {"$ref": "#/$defs/A"}}), None),
        (nested({"$ref": "#/$defs/A"}, {"items": {"$ref": "#"}}), None),
        (nested({"$ref": "https://h/x"}), None),
        ({"anyOf": []}, None),
        ({"enum": []}, None),
        ({"properties": {"a": False}}, None),
        ({"items": [{}]}, None),
        ({"properties": {"a": {"items": {"$ref": "#"}}}}, None),
    ],
)
def test_what_is_plain(schema: dict[str, Any], nodes: int | None) -> None:
    assert plain_nodes(schema, MOST) == nodes
    assert nodes is None or plain_nodes(schema, nodes - 1) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": of(MOST - 1, STRING)},
        {"type": "object", "properties": of(MOST - 1, {})},
        {"type": "object", "properties": of(MOST - 1, STRING, "k" * 900)},
        {"type": "object", "properties": of((MOST - 1) // 2, {"additionalProperties": STRING})},
        {"type": "array", "items": {"anyOf": [{"type": "array", "items": {}}] * (MOST // 2 - 1)}},
        {"anyOf": [{"type": "object", "properties": of(6, STRING)}] * (MOST // 7)},
        {"enum": ["x" * 900 + str(index) for index in range(MOST - 1)]},
        {"$defs": {"A": {"properties": of(3, {})}}, "properties": of(11, {"$ref": "#/$defs/A"})},
    ],
)
def test_what_is_plain_compiles_in_time(schema: dict[str, Any]) -> None:
    pytest.importorskip("xgrammar")
    from runtime.grammar.compiler_process import Compiler

    nodes = plain_nodes(schema, MOST)
    assert nodes is not None
    assert MOST - 8 < nodes <= MOST
    told = Compiler().timed("json", json.dumps(schema), [])
    assert told["fault"] is None
    assert told["cpu_s"] < PLAIN_S_MAX
