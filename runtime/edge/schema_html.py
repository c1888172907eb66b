"""JSON Schema in words, as HTML: what a field may be, and within which bounds."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

Schema = dict[str, Any]

_WORDS = {"integer": "whole number", "string": "text", "boolean": "true or false"}
_BOUNDS = (
    ("minLength", "maxLength", "characters"),
    ("minItems", "maxItems", "items"),
    ("minProperties", "maxProperties", "keys"),
    ("minimum", "maximum", ""),
)
_LONE = {"exclusiveMinimum": "above", "exclusiveMaximum": "below"}


def anchor(name: str) -> str:
    return "schema-" + escape(name)


def kind(schema: Schema) -> str:
    """Such as "list of Message, 1 to 1,024 items"; names of schemas are links."""
    return " or ".join(_one(each) for each in alternatives(schema)) or "null"


def alternatives(schema: Schema) -> list[Schema]:
    """The alternatives without null: that a field may be null is told by its not being required."""
    return [each for each in schema.get("anyOf") or [schema] if each.get("type") != "null"]


def _one(schema: Schema) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{anchor(name)}">{escape(name)}</a>'
    if "const" in schema:
        return f"<code>{_value(schema['const'])}</code>"
    if "enum" in schema:
        return " or ".join(f"<code>{_value(each)}</code>" for each in schema["enum"])
    return ", ".join([_named(schema), *_bounds(schema)])


def _named(schema: Schema) -> str:
    given = schema.get("type")
    if given == "array":
        items = schema.get("items")
        return f"list of {_grouped(items)}" if items else "list"
    if given == "object":
        values = schema.get("additionalProperties")
        return f"object of {_grouped(values)}" if isinstance(values, dict) and values else "object"
    return _WORDS.get(str(given), str(given) if given else "anything")


def _grouped(schema: Schema) -> str:
    """What a list or an object holds: its bounds are not those of what holds it."""
    said = kind(schema)
    return f"({said})" if ", " in said or " or " in said else said


def _bounds(schema: Schema) -> Iterator[str]:
    for name, word in _LONE.items():
        if name in schema:
            yield f"{word} {_number(schema[name])}"
    for least, most, unit in _BOUNDS:
        if schema.get(least) == 1 and most not in schema and unit:
            yield "not empty"
        elif schema.get(most) == 0 and unit:
            yield "empty"
        elif said := _between(schema.get(least), schema.get(most)):
            yield f"{said} {unit}".rstrip()
    if "pattern" in schema:
        yield f"matching <code>{escape(schema['pattern'])}</code>"


def _between(least: Any, most: Any) -> str:
    if most is None:
        return "" if least is None else f"at least {_number(least)}"
    if least is None:
        return f"at most {_number(most)}"
    return f"{_number(least)} to {_number(most)}"


def _number(value: Any) -> str:
    return f"{value:,}"


def _value(value: Any) -> str:
    return escape("true" if value is True else "false" if value is False else str(value))
