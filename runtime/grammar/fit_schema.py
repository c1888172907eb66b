"""What the engines' grammar compiler (xgrammar 0.2) can hold an answer to, of a JSON schema.

vLLM refuses a schema for one keyword that xgrammar cannot hold, and its other compilers are no
way out: an engine has one, whichever its first request chose. So such a keyword is left out of
what the engine gets, by name and never silently; where nothing would be left, the schema is
refused. The rules follow ``vllm.v1.structured_output.backend_xgrammar``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.grammar.constraint import Path
from runtime.grammar.pattern_to_grammar import whole
from runtime.grammar.xgrammar_keywords import impossible, misfits, types_of, undeclared
from runtime.request_limits import LIMITS

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


_LENGTHS = ("minLength", "maxLength")
_COUNTED_ONE_BY_ONE = 130  # characters; xgrammar counts more of them as it counts these


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
    """Fits a schema to what the engines' compiler can hold. Raises Unfit where nothing fits. The
    schema's depth must have been bounded."""
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
        self._lengths: set[tuple[Any, ...]] = set()

    def schema(self, node: Any, at: Path) -> Any:
        if isinstance(node, list):
            return [self.schema(inner, (*at, index)) for index, inner in enumerate(node)]
        if not isinstance(node, dict):
            return node
        if fault := impossible(node):
            raise Unfit((*at, fault[0]), fault[1])
        types = types_of(node)
        left_out = dict.fromkeys(misfits(node))
        if "string" in types and not self._counts({*node} - {*left_out}, node):
            left_out |= dict.fromkeys(key for key in _LENGTHS if key in node)
        self.left_out |= left_out
        node = self._without_undeclared(node)
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

    def _without_undeclared(self, node: dict[str, Any]) -> dict[str, Any]:
        missing = undeclared(node)
        if not missing:
            return node
        self.left_out["required"] = None
        held = [
            name for name in node["required"] if not isinstance(name, str) or name not in missing
        ]
        rest = {key: value for key, value in node.items() if key != "required"}
        return {**rest, "required": held} if held else rest

    def _counts(self, kept: set[str], node: dict[str, Any]) -> bool:
        """Whether an engine can count the length of this text, too, in good time."""
        bounds = tuple(node[key] if key in kept else 0 for key in _LENGTHS)
        if not all(isinstance(bound, int) for bound in bounds):
            return True
        lengths = self._lengths | {bounds}
        spent = sum(min(max(pair), _COUNTED_ONE_BY_ONE) for pair in lengths)
        if spent > LIMITS.text_lengths_max:
            return False
        self._lengths = lengths
        return True

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
