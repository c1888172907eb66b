"""What is wrong with a configuration: where, what was expected, what stands there instead."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from runtime.config_problems import (
    NAMES_SHOWN_MAX,
    PROBLEMS_SHOWN_MAX,
    Problem,
    describe,
    given,
    is_secret,
    known_names,
    problems,
    where,
    wrong_at,
)


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int = Field(default=1, ge=1, le=9)
    share: float | None = Field(default=None, gt=0, lt=1)
    name: str = Field(default="x", max_length=3, pattern="^[A-Z]+$")
    is_on: bool = False
    colour: Colour = Colour.RED
    names: list[str] = Field(default_factory=list, max_length=2)
    api_key: str = Field(default="x", max_length=3)


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    inner: Inner
    by_name: dict[str, Annotated[Inner, "noted"] | None] = Field(default_factory=dict)
    several: tuple[Inner, ...] = ()

    @model_validator(mode="after")
    def _agrees(self) -> Outer:
        if self.several and self.several[0].size == 9:
            raise wrong_at(("several", 0, "size"), "is too much here")
        return self


def told(**inner: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"inner": inner})
    (problem,) = problems(caught.value, Outer)
    return str(problem)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("size", "Many", "inner.size: expected a whole number, got 'Many'"),
        ("size", 1.5, "inner.size: expected a whole number, got 1.5"),
        ("size", None, "inner.size: expected a whole number, got nothing"),
        ("size", 0, "inner.size: expected at least 1, got 0"),
        ("size", 10, "inner.size: expected at most 9, got 10"),
        ("share", 1, "inner.share: expected less than 1, got 1"),
        ("share", float("nan"), "inner.share: expected less than 1, got nan"),
        ("name", "Abc", "inner.name: expected text of the form ^[A-Z]+$, got 'Abc'"),
        ("name", "ABCD", "inner.name: expected at most 3 characters, got 'ABCD'"),
        ("name", False, "inner.name: expected text, got false; put it in quotes"),
        ("name", 5, "inner.name: expected text, got 5; put it in quotes"),
        ("is_on", "perhaps", "inner.is_on: expected true or false, got 'perhaps'"),
        ("colour", "Gren", "expected 'red' or 'green', got 'Gren'; did you mean green?"),
        ("names", "ABC", "inner.names: expected a list, got 'ABC'"),
        ("names", ["a"] * 3, "inner.names: expected at most 2 of them, got 3"),
        ("names", ["a", []], "inner.names[1]: expected text, got a list"),
        ("siez", 1, "inner.siez: is not known here; did you mean size?"),
        ("zzz", 1, "is not known here; known are size, share, name"),
        ("api_key", "sk-1234", "inner.api_key: expected at most 3 characters"),
        ("sk.key", "sk-1234", 'inner["sk.key"]: is not known here'),
    ],
)
def test_what_was_expected_and_what_stands_there(field: str, value: Any, says: str) -> None:
    said = told(**{field: value})
    assert says in said
    assert "1234" not in said


def test_a_part_of_another_shape_and_one_that_is_not_there() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"by_name": {"a.b": 5, "c": {"siez": 1}}, "several": [{"sice": 1}]})
    said = describe(caught.value, Outer)
    assert "inner: is missing" in said
    assert 'by_name["a.b"]: expected a mapping, got 5' in said
    assert "by_name.c.siez: is not known here; did you mean size?" in said
    assert "several[0].sice: is not known here; did you mean size?" in said


def test_a_rule_of_the_whole_names_the_part_that_it_means() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"inner": {}, "several": [{"size": 9}]})
    (problem,) = problems(caught.value, Outer)
    assert problem == Problem(("several", 0, "size"), "is too much here", value="9")


def test_many_problems_are_counted() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"inner": {f"x{n}": 1 for n in range(PROBLEMS_SHOWN_MAX + 5)}})
    assert describe(caught.value, Outer).endswith("and 5 more")


def test_values_are_quoted_short_and_printable() -> None:
    assert given("a\x1b[31m" + "b" * 1_000).startswith("'a\ufffd[31mbbb")
    assert len(given("b" * 1_000)) < 100
    values: list[tuple[Any, str]] = [(True, "true"), (None, "nothing"), (2.5, "2.5")]
    for value, shown in [*values, ({}, "a mapping"), ((), "a list")]:
        assert given(value) == shown


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        (("providers", "acme", "key_env"), True),
        (("tenants", "acme", "key_sha256", 0), True),
        (("providers", "acme", "base_url"), True),
        (("runtime_env", "env_vars", "ANYTHING"), True),
        (("vllm_flags", "hf-token"), True),
        (("engine", "apiPassword"), False),
        (("engine", "batched_tokens_max"), False),
        ((), False),
    ],
)
def test_where_a_secret_may_stand(path: tuple[str | int, ...], secret: bool) -> None:
    assert is_secret(path) is secret


def test_the_names_that_may_stand_somewhere() -> None:
    assert known_names(Outer, ()) == ["inner", "by_name", "several"]
    assert known_names(Outer, ("by_name", "any")) == known_names(Inner, ())
    assert known_names(Outer, ("inner", "size")) == known_names(Outer, ("none",)) == []
    assert len(known_names(Inner, ())) < NAMES_SHOWN_MAX


def test_paths_read_like_the_file() -> None:
    assert where(("pools", 0, "engine", "a.b")) == 'pools[0].engine["a.b"]'
    assert where(()) == ""
