"""The one free-form part of a request: a JSON schema, of a tool or of the answer's format.

It is bounded, not understood: size, depth, number range, valid text. What a schema means is the
engine's business, except for regular expressions, which a grammar compiler can be made to spend
minutes on: see ``runtime.grammar``.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from runtime.request_limits import LIMITS, refusals


class SchemaCheck:
    """All schemas of one request; they share one allowance of nodes."""

    __slots__ = ("nodes",)

    def __init__(self) -> None:
        self.nodes = 0

    def fault(self, schema: dict[str, Any]) -> str | None:
        """What is wrong with the schema, as the end of a sentence; None if nothing is."""
        level: list[Any] = [schema]
        depth = 0
        while level:
            depth += 1
            self.nodes += len(level)
            if self.nodes > LIMITS.schema_nodes_max:
                refusals["schema_nodes_max"] += 1
                return (
                    f"brings it to more than {LIMITS.schema_nodes_max} schema nodes in one request"
                )
            if depth > LIMITS.schema_depth_max:
                refusals["schema_depth_max"] += 1
                return f"is nested deeper than {LIMITS.schema_depth_max} levels"
            if any(isinstance(n, int) and abs(n) > LIMITS.integer_max for n in level):
                refusals["integer_max"] += 1
                return "has a number that does not fit 64 bits"
            level = [inner for outer in level for inner in _children(outer)]
        return _size_fault(schema)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _size_fault(schema: dict[str, Any]) -> str | None:
    try:
        size_bytes = len(to_json(schema))
    except PydanticSerializationError:
        return "must be text without lone surrogates"
    if size_bytes > LIMITS.schema_bytes_max:
        refusals["schema_bytes_max"] += 1
        return f"is larger than {LIMITS.schema_bytes_max} bytes"
    return None
