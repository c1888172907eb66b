"""Schemas that any engine compiles at once, so that nobody need try.

What is plain was measured (``tests/runtime/grammar/test_trivial_schemas.py``): a few nodes of what
libraries write for a record, and for the records in it. What can recurse, count or match is not,
however small.
"""

from __future__ import annotations

from typing import Any

from runtime.grammar.xgrammar_keywords import TYPES

_SAYS_NOTHING = frozenset(
    {"title", "description", "default", "examples", "$schema", "$comment", "deprecated"}
)
_CHEAP_FORMATS = frozenset({"date", "date-time", "time", "uuid"})
_DEFS = "$defs"
_LOCAL = f"#/{_DEFS}/"


def plain_nodes(schema: Any, most: int) -> int | None:
    """How many schemas and values it is made of, those that it refers to as often as it does;
    None where it is not plain, or has more than ``most``."""
    defs = schema.get(_DEFS, {}) if isinstance(schema, dict) else {}
    if not isinstance(defs, dict):
        return None
    root = {key: value for key, value in schema.items() if key != _DEFS} if defs else schema
    count = 0
    waiting: list[tuple[Any, frozenset[str]]] = [(root, frozenset())]
    waiting += [(each, frozenset((name,))) for name, each in defs.items()]
    while waiting:
        node, inside = waiting.pop()
        count += 1
        if not isinstance(node, dict) or count > most:
            return None
        if "$ref" in node:
            name = _name(node)
            if name is None or name not in defs or name in inside:
                return None
            waiting.append((defs[name], inside | {name}))
            continue
        for key, value in node.items():
            inner = _inner(key, value)
            if inner is None:
                return None
            count += len(value) if key in ("enum", "required") else 0
            waiting += [(each, inside) for each in inner]
    return count if count <= most else None


def _name(node: dict[str, Any]) -> str | None:
    """Of the definition that a node refers to, and says no more than that."""
    ref = node["$ref"]
    alone = all(key == "$ref" or key in _SAYS_NOTHING for key in node)
    if not alone or not isinstance(ref, str) or not ref.startswith(_LOCAL):
        return None
    name = ref.removeprefix(_LOCAL)
    return name if name.isidentifier() else None  # others are spelt otherwise in a reference


def _inner(key: str, value: Any) -> list[Any] | None:
    """The schemas in one keyword, None where it is not plain."""
    if key == "properties" and isinstance(value, dict):
        return list(value.values())
    if key == "anyOf" and isinstance(value, list) and value:
        return value
    if key in ("items", "additionalProperties") and isinstance(value, dict):
        return [value]
    is_plain = (
        key in _SAYS_NOTHING
        or (key == "additionalProperties" and isinstance(value, bool))
        or (
            key in ("enum", "required")
            and isinstance(value, list)
            and bool(value or key == "required")
        )
        or key == "const"
        or (key == "type" and isinstance(value, str) and value in TYPES)
        or (key == "format" and isinstance(value, str) and value in _CHEAP_FORMATS)
        or (key == "minLength" and value in (0, 1))
    )
    return [] if is_plain else None
