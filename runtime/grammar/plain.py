"""Schemas that any engine compiles at once, so that nobody need try.

What is plain was measured (``tests/runtime/grammar/test_plain.py``): a few nodes of what
libraries write for a record. What can recurse, count or match is not, however small.
"""

from __future__ import annotations

from typing import Any

_SAYS_NOTHING = frozenset(
    {"title", "description", "default", "examples", "$schema", "$comment", "deprecated"}
)
_TYPES = frozenset({"string", "integer", "number", "boolean", "null", "array", "object"})
_CHEAP_FORMATS = frozenset({"date", "date-time", "time", "uuid"})


def plain_nodes(schema: Any) -> int | None:
    """How many schemas and values it is made of; None where it is not plain."""
    count = 0
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        count += 1
        if not isinstance(node, dict):
            return None
        for key, value in node.items():
            inner = _inner(key, value)
            if inner is None:
                return None
            count += len(value) if key in ("enum", "required") else 0
            waiting += inner
    return count


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
        or (key == "type" and isinstance(value, str) and value in _TYPES)
        or (key == "format" and isinstance(value, str) and value in _CHEAP_FORMATS)
        or (key == "minLength" and value in (0, 1))
    )
    return [] if is_plain else None
