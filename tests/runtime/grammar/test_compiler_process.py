"""xgrammar itself, as engines use it, on what SDKs write and on what is meant to hold it up."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.grammar.compile_check import COMPILER
from runtime.grammar.fit_schema import fit
from tests.runtime.grammar.patterns import FORMATS, PYDANTIC, ZOD

pytest.importorskip("xgrammar")


class Compiler:
    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(COMPILER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.told()

    def told(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told

    def ask(self, kind: str, text: str, patterns: list[str]) -> dict[str, Any]:
        assert self.process.stdin is not None
        question = {"kind": kind, "text": text, "patterns": patterns}
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return self.told()

    def schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        fitted = fit(schema)
        patterns = [pattern for _, pattern in fitted.patterns]
        return self.ask("json", json.dumps(fitted.schema), patterns)

    def pattern(self, pattern: str) -> dict[str, Any]:
        return self.schema({"type": "string", "pattern": pattern})


@pytest.fixture(scope="module")
def compiler() -> Iterator[Compiler]:
    compiler = Compiler()
    yield compiler
    compiler.process.communicate()  # the end of its questions is its end
    assert compiler.process.returncode == 0


@pytest.mark.parametrize("name", sorted(ZOD))
def test_what_zod_writes(compiler: Compiler, name: str) -> None:
    schema = ZOD[name]
    told = compiler.schema({"type": "object", "properties": {"a": schema}})
    assert (told["fault"], told["loosened"]) == (None, ["pattern"] if name == "iban" else [])
    held_by_format = "pattern" in schema and schema.get("format") in FORMATS
    assert ("pattern" in fit(schema).left_out) == held_by_format


@pytest.mark.parametrize("pattern", PYDANTIC)
def test_what_pydantic_writes(compiler: Compiler, pattern: str) -> None:
    told = compiler.pattern(pattern)
    assert (told["fault"], told["loosened"]) == (None, [])


def test_what_is_found_anywhere_is_found_anywhere() -> None:
    import xgrammar
    from xgrammar.testing import _is_grammar_accept_string as accepts

    def holds(schema: dict[str, Any], *texts: Any) -> list[bool]:
        grammar = xgrammar.Grammar.from_json_schema(json.dumps(fit(schema).schema))
        return [accepts(grammar, json.dumps(text)) for text in texts]

    assert holds({"type": "string", "pattern": "x|y"}, "axb", "y", "ab") == [True, True, False]
    assert holds({"type": "string", "pattern": "^ab"}, "abc", "cab") == [True, False]
    keys = {"type": "object", "patternProperties": {"^x-": {}}, "additionalProperties": False}
    assert holds(keys, {"x-a": 1}, {"a": 1}) == [True, False]


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        (r"(?<=a)b", "Lookbehind"),
        (r"(a)\1", "Backreference"),
        (r"\bword\b", "Word boundary"),
        (r"\p{Han}+", "Unicode character class"),
        (r"\Aab\Z", r"\A means nothing"),
        ("[", "not understood"),
        ("a{2,1}", "not understood"),
        ("^([a-z]{1,100}){1,100}$", "more than 10 s to compile"),
        ("^.{1,900}$", "ms for each token"),
    ],
)
def test_what_cannot_be_held_is_told(compiler: Compiler, pattern: str, says: str) -> None:
    told = compiler.pattern(pattern)
    assert says in told["fault"]
    if "understood" in told["fault"] and "means" not in told["fault"]:
        assert told["pattern"] == 0
    assert compiler.pattern("^a$")["fault"] is None  # and the next one is answered


REFERS = {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}
MANY = {f"p{index}": {"type": "string"} for index in range(400)}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}]},
        {"$ref": "#/$defs/a", "$defs": REFERS},
        {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}},
        {"type": "array", "minItems": 1, "items": {"$ref": "#"}},
        {"type": "string", "pattern": r"^a[^\s\S]$"},
        {"anyOf": [{"type": "string"}, {"type": "string", "pattern": r"[^\s\S]"}]},
        {"type": "number", "exclusiveMinimum": 0.1, "exclusiveMaximum": 0.1000001},
        {"type": "array", "items": {"type": "number", "minimum": 1e-9, "maximum": 2e-9}},
    ],
)
def test_what_no_answer_can_satisfy(compiler: Compiler, schema: dict[str, Any]) -> None:
    assert compiler.schema(schema)["fault"] == "can be satisfied by no answer"


def test_the_place_of_a_range_that_holds_nothing(compiler: Compiler) -> None:
    bounds = {"type": "number", "minimum": 5.0000001, "maximum": 5.0000002}
    told = compiler.schema({"type": "object", "properties": {"a": {"anyOf": [{}, bounds]}}})
    assert told["at"] == ["properties", "a", "anyOf", 1]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"$ref": "#"}},
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {"type": "number", "minimum": 0.5, "maximum": 0.5},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1.5},
        {"enum": ["", {"minimum": 0.5}]},
        {"type": "string", "pattern": "^(a|[^\\s\\S])$"},
        {"type": "string", "pattern": "^$"},
        {"type": "string", "maxLength": 1000},
        {"type": "object", "properties": MANY},
    ],
)
def test_what_some_answer_can_satisfy(compiler: Compiler, schema: dict[str, Any]) -> None:
    assert compiler.schema(schema)["fault"] is None


def test_what_compiles_slowly_without_any_expression(compiler: Compiler) -> None:
    schema = {"type": "object", "properties": MANY, "minProperties": 200, "maxProperties": 210}
    assert "more than 10 s to compile" in compiler.schema(schema)["fault"]
    assert compiler.schema({})["fault"] is None


def test_it_ends_with_who_asks_even_in_the_middle_of_an_answer() -> None:
    alone = Compiler()
    question = {"kind": "regex", "text": "^([a-z]{1,100}){1,100}$", "patterns": []}
    told, _ = alone.process.communicate(json.dumps(question) + "\n")
    assert (told, alone.process.returncode) == ("", 0)


def test_expressions_by_themselves(compiler: Compiler) -> None:
    assert compiler.ask("regex", r"[A-Z]{2}\d+", [])["fault"] is None
    assert compiler.ask("regex", r"[^\s\S]", [])["fault"] == "can be satisfied by no answer"
    assert "Lookahead" in compiler.ask("regex", "(?=a)b", [])["fault"]


def test_a_lookahead_is_named_as_not_held(compiler: Compiler) -> None:
    told = compiler.pattern(r"^(?=.*\d)(?=.*[a-z]).{8,}$")
    assert (told["fault"], told["loosened"]) == (None, ["pattern"])
    told = compiler.schema({"oneOf": [{"type": "integer"}, {"type": "number"}]})
    assert (told["fault"], told["loosened"]) == (None, ["oneOf"])
