"""What an engine is not given of a schema, and that nothing is left out without its name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.grammar.fit_schema import Unfit, fit
from runtime.request_limits import LIMITS

PATTERN = {"type": "string", "pattern": "^a$"}


@pytest.mark.parametrize(
    ("schema", "fitted", "left_out"),
    [
        ({"type": "integer", "multipleOf": 3, "minimum": 0}, {"minimum": 0}, {"multipleOf"}),
        ({"type": ["number", "null"], "multipleOf": 3}, {}, {"multipleOf"}),
        ({"type": "array", "uniqueItems": True, "minItems": 1}, {"minItems": 1}, {"uniqueItems"}),
        (
            {"type": "array", "contains": {}, "minContains": 1, "maxContains": 2},
            {},
            {"contains", "minContains", "maxContains"},
        ),
        ({**PATTERN, "maxLength": 9}, {"pattern": "^a$"}, {"maxLength"}),
        ({**PATTERN, "format": "email"}, {"format": "email"}, {"pattern"}),
        ({**PATTERN, "format": "cuid"}, {"pattern": "^a$"}, {"format"}),
        ({"type": "string", "format": "date", "minLength": 1}, {"format": "date"}, {"minLength"}),
        ({"type": "string", "minLength": 1, "maxLength": 2}, None, set()),
        (PATTERN, None, set()),
        ({"pattern": "^a$"}, {}, {"pattern"}),
        ({"type": "integer", "pattern": "^a$"}, None, set()),
        (
            {"type": "object", "properties": {}, "patternProperties": {"^a": {}}},
            {"properties": {}},
            {"patternProperties"},
        ),
        ({"type": "object", "patternProperties": {"a": {}, "b": {}}}, {}, {"patternProperties"}),
        (
            {"type": "object", "patternProperties": {"^a": {"type": "null"}}},
            {"patternProperties": {"^(?:a).*$": {"type": "null"}}},
            set(),
        ),
        ({**PATTERN, "pattern": "a"}, {"pattern": "^.*(?:a).*$"}, set()),
        (
            {"type": "object", "properties": {}, "propertyNames": {"maxLength": 3}},
            {"properties": {}},
            {"propertyNames"},
        ),
        (
            {"type": "object", "propertyNames": {"pattern": "^a", "maxLength": 3}},
            {"propertyNames": {"type": "string", "pattern": "^(?:a).*$"}},
            {"maxLength"},
        ),
        ({"allOf": [{"type": "string"}]}, None, set()),
        ({"not": {"type": "string"}}, {}, {"not"}),
        (
            {"if": {}, "then": {}, "else": {}, "dependentRequired": {"a": ["b"]}},
            {},
            {"if", "then", "else", "dependentRequired"},
        ),
        ({"type": "object", "dependentSchemas": {"a": {}}}, {}, {"dependentSchemas"}),
        (
            {"minimum": 3, "maxLength": 2, "required": ["a"]},
            {},
            {"minimum", "maxLength", "required"},
        ),
        ({"properties": {"a": {}}, "required": ["a"], "maxLength": 2}, None, set()),
        (
            {"type": "object", "properties": {"a": {}}, "required": ["b", "a"]},
            {"properties": {"a": {}}, "required": ["a"]},
            {"required"},
        ),
        ({"type": "object", "required": ["b"]}, {}, {"required"}),
        (
            {"$ref": "#/$defs/s", "maxLength": 1, "title": "A"},
            {"$ref": "#/$defs/s", "title": "A"},
            {"maxLength"},
        ),
        ({"type": "string", "enum": ["a", "b"]}, None, set()),
        ({"type": "string", "enum": ["a", 1]}, {"enum": ["a", 1]}, {"type"}),
        ({"type": "string", "enum": ["a"], "minLength": 2}, {"enum": ["a"]}, {"minLength"}),
        ({"const": "a", "enum": ["a", "b"]}, None, set()),
        ({"type": "object", "anyOf": [{"type": "object"}]}, None, set()),
        (
            {"type": "object", "properties": {"a": {}}, "anyOf": [{"required": ["a"]}]},
            {"properties": {"a": {}}},
            {"anyOf"},
        ),
        ({"type": "string", "maxLength": 5000}, None, set()),
    ],
)
def test_keywords_that_engines_cannot_hold(
    schema: dict[str, Any], fitted: dict[str, Any] | None, left_out: set[str]
) -> None:
    for at in ({}, {"anyOf": 0}, {"properties": "p"}, {"$defs": "d"}, {"items": None}):
        whole, expected = schema, schema if fitted is None else {**_types(schema), **fitted}
        for key, step in at.items():
            whole, expected = _wrapped(key, step, whole), _wrapped(key, step, expected)
        found = fit(whole)
        assert found.schema == expected
        assert set(found.left_out) == left_out


def _types(schema: dict[str, Any]) -> dict[str, Any]:
    kept = "type" in schema and 1 not in schema.get("enum", ())
    return {"type": schema["type"]} if kept else {}


def _wrapped(key: str, step: Any, schema: Any) -> dict[str, Any]:
    return {key: {step: schema} if isinstance(step, str) else [schema] if step == 0 else schema}


def test_what_fits_is_passed_on_as_it_came() -> None:
    schema = {"type": "object", "properties": {"a": PATTERN, "b": {"enum": [{"multipleOf": 1}]}}}
    assert fit(schema).schema is schema


def test_a_property_is_no_keyword() -> None:
    names = ("pattern", "multipleOf", "uniqueItems", "allOf", "format", "patternProperties")
    schema = {"type": "object", "properties": {name: {"type": "null"} for name in names}}
    assert fit(schema).schema is schema
    assert fit(schema).patterns == ()
    free = {"pattern": "[", "allOf": [1, 2], "format": 5}
    kept = {"const": free, "default": free, "enum": [free], "examples": [free]}
    assert fit(kept).schema is kept


def test_patterns_are_told_with_their_place() -> None:
    schema = {
        "type": "object",
        "properties": {"a": PATTERN, "b": {"type": "array", "items": {"anyOf": [PATTERN]}}},
        "additionalProperties": {"type": "object", "patternProperties": {"^b": {}}},
    }
    assert fit(schema).patterns == (
        (("properties", "a", "pattern"), "^a$"),
        (("properties", "b", "items", "anyOf", 0, "pattern"), "^a$"),
        (("additionalProperties", "patternProperties"), "^b"),
    )


@pytest.mark.parametrize(
    ("schema", "at", "says"),
    [
        ({"properties": {"a": {"allOf": [{}, {}]}}}, ("properties", "a", "allOf"), "one schema"),
        ({**PATTERN, "pattern": "a" * 2049}, ("pattern",), "more than 2048 characters"),
        (
            {"type": "object", "patternProperties": {"a" * 2049: {}}},
            ("patternProperties",),
            "more than 2048 characters",
        ),
        ({"items": {"$ref": "https://x.org/a"}}, ("items", "$ref"), "no other document"),
        ({"$ref": "#anchor"}, ("$ref",), "no other document"),
        ({"anyOf": []}, ("anyOf",), "by no answer"),
        ({"properties": {"a": {"oneOf": []}}}, ("properties", "a", "oneOf"), "by no answer"),
        ({"enum": []}, ("enum",), "by no answer"),
        ({"type": []}, ("type",), "by no answer"),
        ({"type": "string", "const": 1}, ("type",), "of no value"),
        (
            {"type": "object", "required": ["a"], "additionalProperties": False},
            ("required",),
            "not allowed",
        ),
        ({"anyOf": [PATTERN] * (LIMITS.patterns_max + 1)}, (), "more than 256 patterns"),
    ],
)
def test_what_cannot_be_fitted(schema: dict[str, Any], at: tuple[str, ...], says: str) -> None:
    with pytest.raises(Unfit) as caught:
        fit(schema)
    assert caught.value.at == at
    assert says in caught.value.says


def test_as_many_long_texts_are_counted_as_compile_in_time() -> None:
    def of(*lengths: int) -> dict[str, Any]:
        texts = {f"p{length}": {"type": "string", "maxLength": length} for length in lengths}
        return {"type": "object", "properties": texts}

    assert fit(of(500)).left_out == ()
    assert fit({"anyOf": [of(500), of(500), of(3, 4)]}).left_out == ()
    found = fit(of(500, 4, 900))
    assert found.left_out == ("maxLength",)
    assert found.schema["properties"]["p900"] == {"type": "string"}
    assert found.schema["properties"]["p500"]["maxLength"] == 500


KEYWORDS = (
    "type allOf anyOf items properties patternProperties propertyNames pattern format minLength "
    "maxLength multipleOf uniqueItems contains minContains unevaluatedProperties enum const "
    "minimum required not $ref oneOf"
)
VALUES = st.recursive(
    st.sampled_from(["string", "object", "array", "integer", "email", "cuid", "^a", True, 3, None]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYWORDS.split()), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(KEYWORDS.split()), VALUES, max_size=6))
def test_a_fitted_schema_fits_and_lacks_only_what_is_named(schema: dict[str, Any]) -> None:
    before = json.dumps(schema)
    try:
        found = fit(schema)
    except Unfit:
        return
    assert json.dumps(schema) == before
    again = fit(found.schema)
    assert (again.schema, again.left_out) == (found.schema, ())
    assert not found.left_out or found.schema != schema
