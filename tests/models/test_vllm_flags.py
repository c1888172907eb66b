"""What vLLM is told of a layout. That it understands it: test_engine_verdicts.py."""

from __future__ import annotations

import itertools
from dataclasses import fields

import pytest

from models.layout import Layout
from models.vllm_flags import (
    FLAGS_OF_LAYOUTS,
    LAYOUT_FLAGS,
    Flags,
    command_words,
    layout_flags,
    parser_flags,
    ranks_per_node,
)

LAYOUTS = [
    Layout(tp, dp, pp, dcp, expert_parallel)
    for tp, dp, pp, dcp, expert_parallel in itertools.product(
        (1, 8, 16), (1, 2, 16), (1, 2), (1, 8), (False, True)
    )
]


def test_every_size_of_a_layout_has_its_flag() -> None:
    sizes = {each.size for each in LAYOUT_FLAGS}
    assert sizes == {each.name for each in fields(Layout)} - {"cards_per_node"}


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_all_sizes_are_told_and_no_flag_is_unknown_to_the_table(layout: Layout) -> None:
    told = layout_flags(layout)
    assert {each.flag: getattr(layout, each.size) for each in LAYOUT_FLAGS}.items() <= told.items()
    assert told.keys() <= FLAGS_OF_LAYOUTS


def test_ranks_of_a_node_fill_it() -> None:
    assert ranks_per_node(Layout(2, 8)) == 4
    assert ranks_per_node(Layout(2, 3)) == 3
    assert ranks_per_node(Layout(8, 2, pp=2)) == 1


def test_ranks_of_a_node_can_be_given() -> None:
    assert layout_flags(Layout(1, 16))["data-parallel-size-local"] == 8
    assert layout_flags(Layout(1, 16), 4)["data-parallel-size-local"] == 4
    assert "data-parallel-size-local" not in layout_flags(Layout(1, 8), 4)


def test_a_flag_is_one_word() -> None:
    flags: Flags = {"seed": "--trust-remote-code", "enforce-eager": True, "async": False}
    assert command_words(flags) == ["--seed=--trust-remote-code", "--enforce-eager", "--no-async"]


def test_a_model_without_parsers_has_no_flags_for_them() -> None:
    assert parser_flags(None, None) == {}
    assert parser_flags(None, "qwen3") == {"reasoning-parser": "qwen3"}
    assert parser_flags("hermes", None).keys() == {"enable-auto-tool-choice", "tool-call-parser"}
