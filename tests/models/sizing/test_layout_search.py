from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.layout import Layout
from models.shape import Shape
from models.sizing.layout_search import candidate, layouts, notes
from tests.models.shapes import (
    ALL,
    DEEPSEEK_V32,
    GLM_5,
    QWEN3_32B,
    QWEN3_235B,
    QWEN3_NEXT,
    V4_FLASH,
)


@given(shape=st.sampled_from(list(ALL.values())), cards=st.integers(1, 64))
def test_every_layout_takes_all_cards_and_stands_once(shape: Shape, cards: int) -> None:
    found = layouts(shape, cards)
    assert all(each.layout.cards == cards for each in found)
    assert len({each.layout for each in found}) == len(found)
    assert all(each.why_not is None or not each.notes for each in found)


def test_one_card_has_one_way() -> None:
    (alone, spread) = layouts(QWEN3_235B, 1)
    assert (alone.layout, alone.why_not) == (Layout(1), None)
    assert spread.why_not == "expert parallel needs TP x DP of at least 2, and it is 1"


def test_the_ways_to_take_a_node() -> None:
    found = {str(each.layout) for each in layouts(QWEN3_235B, 8) if each.why_not is None}
    assert {"TP8", "TP8·EP", "TP4·DP2", "TP4·DP2·EP", "TP1·DP8·EP", "TP8·DCP2", "TP2·PP4"} <= found
    assert "TP8·DCP4" not in found


@pytest.mark.parametrize("cards", [0, -1, 65])
def test_cards_out_of_range(cards: int) -> None:
    with pytest.raises(ValueError, match=f"takes 1 to 64 cards on nodes of 8, not {cards}"):
        layouts(QWEN3_235B, cards)


def test_small_nodes_bound_the_cards() -> None:
    with pytest.raises(ValueError, match="1 to 32 cards on nodes of 4, not 33"):
        layouts(QWEN3_235B, 33, cards_per_node=4)
    with pytest.raises(ValueError, match="at least 1 card, not 0"):
        layouts(QWEN3_235B, 1, cards_per_node=0)


@pytest.mark.parametrize(
    ("shape", "layout", "told"),
    [
        (
            QWEN3_235B,
            Layout(8),
            (
                "expert slices cut the FP8 blocks: scales are refined to 64, Triton kernels only",
                "TP 8 keeps 2 copies of the KV cache",
            ),
        ),
        (QWEN3_235B, Layout(8, dcp=2, expert_parallel=True), ()),
        (QWEN3_235B, Layout(4), ()),
        (QWEN3_NEXT, Layout(3, 2), None),
        (
            GLM_5,
            Layout(8, dcp=8),
            (
                "the FP8 sparse kernel pads 8 heads per card to 64",
                "DCP with sparse attention needs the FP8 KV cache",
            ),
        ),
        (V4_FLASH, Layout(4), ("TP 4 keeps 4 copies of the KV cache",)),
        (
            DEEPSEEK_V32,
            Layout(1, 24, expert_parallel=True),
            (
                "16 of 24 cards hold 11 experts, the others 10",
                "tokens reach the experts of 24 cards over the network",
            ),
        ),
        (
            QWEN3_32B,
            Layout(16),
            (
                "TP 16 keeps 2 copies of the KV cache",
                "TP 16 spans 2 nodes: every layer waits for the network",
            ),
        ),
        (
            QWEN3_32B,
            Layout(4, 2),
            ("DP ranks of a dense model share nothing: 2 replicas do the same",),
        ),
    ],
    ids=lambda each: str(each)[:24],
)
def test_what_a_layout_pays(shape: Shape, layout: Layout, told: tuple[str, ...] | None) -> None:
    if told is None:
        assert candidate(shape, layout).notes == ()
        assert candidate(shape, layout).why_not is not None
    else:
        assert notes(shape, layout) == told
