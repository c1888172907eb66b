"""What the engines' grammar compiler (xgrammar 0.2) can hold an answer to, of a JSON schema.

vLLM refuses a schema for one keyword that xgrammar cannot hold, and its other compilers are no
way out: an engine has one, whichever its first request chose. So such a keyword is left out of
what the engine gets, by name and never silently; where nothing would be left, the schema is
refused. The rules follow ``vllm.v1.structured_output.backend_xgrammar``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from runtime.grammar.constraint import Path
from runtime.grammar.pattern import whole
from runtime.limits import LIMITS

_FORMATS = frozenset(
    {
        "email",
        "date",
        "time",
        "date-time",
        "duration",
        "ipv4",
        "ipv6",
        "hostname",
        "uuid",
        "uri",
        "uri-reference",
        "uri-template",
        "json-pointer",
        "relative-json-pointer",
    }
)
_TYPES = frozenset({"string", "integer", "number", "boolean", "null", "array", "object"})
_LENGTHS = frozenset({"minLength", "maxLength"})
_UNCOUNTED = frozenset({"uniqueItems", "contains", "minContains", "maxContains"})
_NAMED_BY_CALLER = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
)
_SCHEMAS = frozenset(
    {
        "items",
        "prefixItems",
        "additionalItems",
        "unevaluatedItems",
        "contains",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "anyOf",
        "oneOf",
        "allOf",
        "not",
        "if",
        "then",
        "else",
    }
)


class Unfit(Exception):
    """``says`` is the end of a sentence about what is at ``at``."""

    def __init__(self, at: Path, says: str) -> None:
        super().__init__(says)
        self.at, self.says = at, says


@dataclass(frozen=True, slots=True)
class Fitted:
    """``schema`` is the caller's own where nothing was left out of it, and no pattern widened."""

    schema: dict[str, Any]
    left_out: tuple[str, ...]  # keywords, each once
    patterns: tuple[tuple[Path, str], ...]  # as the caller wrote them, and where they stand


def fit(schema: dict[str, Any]) -> Fitted:
    """Raises Unfit. The schema's depth must have been bounded."""
    fitting = _Fitting()
    fitted = fitting.schema(schema, ())
    if not fitting.left_out and not fitting.widened:
        fitted = schema
    return Fitted(fitted, tuple(fitting.left_out), tuple(fitting.patterns))


class _Fitting:
    def __init__(self) -> None:
        self.left_out: dict[str, None] = {}
        self.patterns: list[tuple[Path, str]] = []
        self.widened = False

    def schema(self, node: Any, at: Path) -> Any:
        if isinstance(node, list):
            return [self.schema(inner, (*at, index)) for index, inner in enumerate(node)]
        if not isinstance(node, dict):
            return node
        parts = node.get("allOf")
        if isinstance(parts, list) and len(parts) > 1:
            raise Unfit((*at, "allOf"), "has several parts: write them as one schema")
        types = _types(node)
        left_out = dict.fromkeys(_misfits(node, types))
        self.left_out |= left_out
        fitted = {}
        for key, value in node.items():
            if key in left_out:
                continue
            if key == "propertyNames" and isinstance(value, dict):
                value = {"type": "string", **value}
            if key in _SCHEMAS:
                value = self.schema(value, (*at, key))
            elif key in _NAMED_BY_CALLER and isinstance(value, dict):
                value = {name: self.schema(value[name], (*at, key, name)) for name in value}
                if key == "patternProperties":
                    value = {self._whole(name, (*at, key)): value[name] for name in value}
            elif key == "pattern" and isinstance(value, str) and "string" in types:
                value = self._whole(value, (*at, key))
            fitted[key] = value
        return fitted

    def _whole(self, pattern: str, at: Path) -> str:
        """Takes note of an expression; returns it for a whole text."""
        if len(pattern) > LIMITS.pattern_chars_max:
            says = f"has a pattern of more than {LIMITS.pattern_chars_max} characters"
            raise Unfit(at, says)
        self.patterns.append((at, pattern))
        if len(self.patterns) > LIMITS.patterns_max:
            raise Unfit((), f"has more than {LIMITS.patterns_max} patterns")
        widened = whole(pattern)
        self.widened |= widened != pattern
        return widened


def _types(node: dict[str, Any]) -> frozenset[str]:
    told = node.get("type")
    if isinstance(told, str):
        return frozenset({told})
    if isinstance(told, list):
        return frozenset(each for each in told if isinstance(each, str))
    return _TYPES


def _misfits(node: dict[str, Any], types: frozenset[str]) -> Iterator[str]:
    """The keywords of one schema that cannot be held, beside those that can."""
    if "multipleOf" in node and not types.isdisjoint({"integer", "number"}):
        yield "multipleOf"
    if "array" in types:
        yield from sorted(_UNCOUNTED & node.keys())
    if "string" in types:
        yield from _string_misfits(node)
    if "object" in types:
        yield from _object_misfits(node)


def _string_misfits(node: dict[str, Any]) -> Iterator[str]:
    form = node.get("format")
    has_format = isinstance(form, str) and form in _FORMATS and "type" in node
    if "format" in node and not has_format:
        yield "format"
    if "pattern" in node and (has_format or "type" not in node):
        yield "pattern"  # a format is held instead; without a type neither is
    if "pattern" in node or has_format:
        yield from sorted(_LENGTHS & node.keys())


def _object_misfits(node: dict[str, Any]) -> Iterator[str]:
    patterns = node.get("patternProperties")
    if isinstance(patterns, dict) and ("properties" in node or len(patterns) > 1):
        yield "patternProperties"
    if "propertyNames" in node and (
        "patternProperties" in node
        or "properties" in node
        or node.get("unevaluatedProperties", True) is not True
    ):
        yield "propertyNames"
