"""Rows of the configuration's keys: meaning, values, default and unit come from the model."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field

from cluster.enum_comments import NoMeaning
from cluster.reference.config_keys import rows, unit
from models.config_values import written


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)

    text: str = "x"
    """Some text."""


class Outer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)

    wait_ms: int = Field(ge=1, le=2_000)
    """How long it waits,
    in ms."""
    share: float | None = Field(default=None, gt=0, le=1)
    """A share; none is a | b."""
    hosts: list[Annotated[str, written("host name")]] = Field(default=[], max_length=4)
    """The hosts."""
    colours: frozenset[Colour] = frozenset({Colour.RED, Colour.BLUE})
    """The colours."""
    inner: Inner = Inner()
    """What is in it."""
    by_name: dict[Annotated[str, written("a name")], Inner] = Field(default_factory=dict)
    """The same by name."""
    is_on: bool = True
    """Whether it is on."""


def row(name: str) -> tuple[str, ...]:
    links = {Inner: "[inner](#inner)"}
    (found,) = (each for each in rows(Outer, places=links) if each[0] == f"`{name}`")
    return found[1:]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("wait_ms", ("How long it waits, in ms.", "whole number, 1 to 2,000", "required", "ms")),
        ("share", ("A share; none is a \\| b.", "number, above 0, at most 1", "none", "")),
        ("hosts", ("The hosts.", "list of host name, at most 4 items", "empty", "")),
        ("colours", ("The colours.", "list of (`red` or `blue`)", "`blue`, `red`", "")),
        ("inner", ("What is in it.", "[inner](#inner)", "as below", "")),
        (
            "by_name",
            ("The same by name.", "mapping of [inner](#inner); keys: a name", "empty", ""),
        ),
        ("is_on", ("Whether it is on.", "true or false", "`true`", "")),
    ],
)
def test_a_row_says_what_the_model_says(name: str, told: tuple[str, ...]) -> None:
    assert row(name) == told


def test_what_is_left_out_is_not_told() -> None:
    names = [each[0] for each in rows(Outer, without=frozenset({"inner", "by_name"}))]
    assert names == ["`wait_ms`", "`share`", "`hosts`", "`colours`", "`is_on`"]


def test_a_field_without_a_meaning_is_refused() -> None:
    class Mute(BaseModel):
        key: int = 1

    with pytest.raises(NoMeaning, match=r"Mute\.key has no meaning"):
        rows(Mute)


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("tokens_per_min_max", "tokens per minute"),
        ("spill_usd_per_hour_max", "USD per hour"),
        ("upscale_delay_s", "s"),
        ("ttft_budget_ms", "ms"),
        ("data_parallel_local", "ranks"),
        ("tensor_parallel", "cards"),
        ("offer_tok_s_assumed", "tokens per second"),
        ("decode_step_s_assumed", "s"),
        ("retry_after_s_max", "s"),
        ("failures", "failures"),
        ("kv_headroom", "share of 1"),
        ("metrics_port", ""),
    ],
)
def test_a_units_name_is_in_the_keys(name: str, measure: str) -> None:
    assert unit(name, {"type": "integer"}) == measure
    assert unit(name, {"type": "string"}) == ""
