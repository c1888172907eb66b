"""Schemas in words: bounds where they belong, and nothing of a schema taken for HTML."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.edge.schema_html import kind


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "boolean"}, "true or false"),
        ({"type": "integer", "minimum": 1, "maximum": 1_048_576}, "whole number, 1 to 1,048,576"),
        ({"type": "integer", "minimum": 0}, "whole number, at least 0"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "number, above 0, at most 1"),
        ({"type": "string", "minLength": 1}, "text, not empty"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text"),
        ({"type": "null"}, "null"),
        ({}, "anything"),
        ({"const": False}, "<code>false</code>"),
        ({"enum": ["a", "<b>"]}, "<code>a</code> or <code>&lt;b&gt;</code>"),
        ({"type": "string", "pattern": "^[^<>]$"}, "text, matching <code>^[^&lt;&gt;]$</code>"),
        ({"$ref": "#/x/Tool"}, '<a href="#schema-Tool">Tool</a>'),
        ({"type": "array"}, "list"),
        ({"type": "array", "maxItems": 0}, "list, empty"),
        (
            {"type": "array", "items": {"type": "string", "maxLength": 5}, "maxItems": 4},
            "list of (text, at most 5 characters), at most 4 items",
        ),
        ({"type": "object", "additionalProperties": True}, "object"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "object of text"),
    ],
)
def test_a_schema_in_words(schema: dict[str, Any], words: str) -> None:
    assert kind(schema) == words
