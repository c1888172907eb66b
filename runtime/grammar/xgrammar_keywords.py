"""Which keywords of one schema xgrammar 0.2 holds, beside which others, and which none could.

It looks at the first of a schema's `_OVERRULING` keywords alone, and at no keyword of a type
where it cannot tell the type.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
TYPES = frozenset({"string", "integer", "number", "boolean", "null", "array", "object"})
_LENGTHS = frozenset({"minLength", "maxLength"})
_UNCOUNTED = frozenset({"uniqueItems", "contains", "minContains", "maxContains"})
_MAKE_OBJECTS = frozenset({"properties", "additionalProperties", "unevaluatedProperties"})
_MAKE_ARRAYS = frozenset({"items", "prefixItems", "unevaluatedItems"})
_OF_ONE_TYPE = frozenset(
    {
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "pattern", "format"),
        *("minItems", "maxItems", *_UNCOUNTED),
        *("required", "minProperties", "maxProperties", "propertyNames", "patternProperties"),
    }
)
_NEVER = frozenset(
    {
        *("not", "if", "then", "else", "$dynamicRef", "$recursiveRef"),
        *("dependentRequired", "dependentSchemas", "dependencies"),
    }
)
_OVERRULING = ("$ref", "const", "enum", "anyOf", "oneOf", "allOf")
_BRANCHES = frozenset({"anyOf", "oneOf", "allOf"})
_ASSERTS = _OF_ONE_TYPE | _MAKE_OBJECTS | _MAKE_ARRAYS | {*_OVERRULING, "type", "additionalItems"}
_IS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int, float),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}
NOTHING = "can be satisfied by no answer"


def impossible(node: dict[str, Any]) -> tuple[str, str] | None:
    """The keyword that no engine could follow, and what is wrong with it."""
    ref = node.get("$ref")
    if isinstance(ref, str) and ref != "#" and not ref.startswith("#/"):
        return "$ref", "must be '#' or begin with '#/': no other document is read"
    for key in ("enum", *_BRANCHES, "type"):
        if node.get(key) == []:
            return key, NOTHING
    parts = node.get("allOf")
    if isinstance(parts, list) and len(parts) > 1:
        return "allOf", "has several parts: write them as one schema"
    values = _values(node)
    if values and "type" in node and not any(_is_of(each, types_of(node)) for each in values):
        return "type", "is that of no value which is allowed"
    closed = False in (node.get("additionalProperties"), node.get("unevaluatedProperties"))
    if closed and "patternProperties" not in node and undeclared(node):
        return "required", "names a property that is not allowed"
    return None


def undeclared(node: dict[str, Any]) -> frozenset[str]:
    """Required properties of an object that it does not describe: they are not held."""
    names, described = node.get("required"), node.get("properties", {})
    if (
        not isinstance(names, list)
        or not isinstance(described, dict)
        or "object" not in types_of(node)
        or any(key in node for key in _OVERRULING)
    ):
        return frozenset()
    return frozenset(name for name in names if isinstance(name, str) and name not in described)


def _overruled(node: dict[str, Any], by: str) -> Iterator[str]:
    """What is not looked at beside a keyword. Branches beside what an object or a list has are
    left out themselves: they hold less."""
    beside = (_ASSERTS & node.keys()) - {by}
    if by in _BRANCHES and not beside.isdisjoint(_MAKE_OBJECTS | _MAKE_ARRAYS):
        yield from sorted(_BRANCHES & node.keys())
        return
    yield from sorted(key for key in beside if not _implied(key, node, by))


def _implied(keyword: str, node: dict[str, Any], by: str) -> bool:
    """Whether a keyword says no more than what is looked at instead of it."""
    if keyword == "enum" and by == "const":
        return isinstance(node["enum"], list) and node["const"] in node["enum"]
    if keyword != "type":
        return False
    types = types_of(node)
    if by in ("const", "enum"):
        return all(_is_of(value, types) for value in _values(node))
    parts = node[by]
    return isinstance(parts, list) and all(
        isinstance(part, dict) and "type" in part and types_of(part) <= types for part in parts
    )


def _values(node: dict[str, Any]) -> list[Any]:
    if "$ref" in node:
        return []
    values = [node["const"]] if "const" in node else node.get("enum")
    return values if isinstance(values, list) else []


def _is_of(value: Any, types: frozenset[str]) -> bool:
    if isinstance(value, bool):
        return "boolean" in types
    if isinstance(value, float) and not value.is_integer():
        return "number" in types
    return any(
        isinstance(value, kind) for name in types for kind in _IS.get(name, ()) if kind is not bool
    )


def types_of(node: dict[str, Any]) -> frozenset[str]:
    """What xgrammar lets a value be, by the schema's own keywords."""
    told = node.get("type")
    if isinstance(told, str):
        return frozenset({told})
    if isinstance(told, list):
        return frozenset(each for each in told if isinstance(each, str))
    if not _MAKE_OBJECTS.isdisjoint(node):
        return frozenset({"object"})
    return frozenset({"array"}) if not _MAKE_ARRAYS.isdisjoint(node) else TYPES


def misfits(node: dict[str, Any]) -> Iterator[str]:
    """The keywords of one schema that cannot be held, beside those that can."""
    yield from sorted(_NEVER & node.keys())
    if overruling := next((key for key in _OVERRULING if key in node), None):
        yield from _overruled(node, overruling)
    elif "type" not in node and types_of(node) == TYPES:
        yield from sorted(_OF_ONE_TYPE & node.keys())
    types = types_of(node)
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
