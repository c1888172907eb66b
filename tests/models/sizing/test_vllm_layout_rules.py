"""Each refusal says its numbers. That the rules are the engine's: test_engine_verdicts.py."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.layout import Layout
from models.shape import Dense, Gqa, Shape
from models.sizing.vllm_layout_rules import RULES, refusal
from tests.models.shapes import (
    ALL,
    DEEPSEEK_V32,
    GLM_5,
    GPT_OSS,
    KIMI_K25,
    MAVERICK,
    MIXTRAL,
    QWEN3_30B,
    QWEN3_32B,
    QWEN3_235B,
    QWEN3_NEXT,
    V4_FLASH,
)

REFUSED = [
    (QWEN3_235B, Layout(3), "64 heads do not divide by TP 3"),
    (QWEN3_NEXT, Layout(32), "16 heads do not divide by TP 32"),
    (MAVERICK, Layout(5), "8 KV heads can be neither split nor copied evenly by TP 5"),
    (QWEN3_32B, Layout(8, expert_parallel=True), "expert parallel needs experts, and this model"),
    (QWEN3_235B, Layout(1, pp=8, expert_parallel=True), "needs TP x DP of at least 2, and it is 1"),
    (MIXTRAL, Layout(1, 16, expert_parallel=True), "8 experts do not give each of 16 cards"),
    (V4_FLASH, Layout(2, 3, expert_parallel=True), "256 experts do not divide by 6 cards"),
    (V4_FLASH, Layout(16), "8 output groups do not divide by TP 16"),
    (QWEN3_235B, Layout(1, 5), "experts of width 1536 do not divide into 5 slices"),
    (QWEN3_235B, Layout(8, 4), "1536 in 32 slices leave 48, and FP8 blocks of 128"),
    (QWEN3_30B, Layout(16), "768 in 16 slices leave 48"),
    (QWEN3_NEXT, Layout(8), "a shared expert of width 512 by TP 8 leaves 64"),
    (DEEPSEEK_V32, Layout(32), "a dense layer of width 18432 by TP 32 leaves 576"),
    (KIMI_K25, Layout(16, 8), "2048 in 128 slices leave 16, not whole INT4 groups of 32"),
    (QWEN3_30B, Layout(1, pp=64), "48 layers do not give each of PP 64 stages one"),
    (DEEPSEEK_V32, Layout(8, dcp=3), "TP 8 does not divide by DCP 3"),
    (GPT_OSS, Layout(16, dcp=2), "DCP 2 cannot split the KV cache of sliding-window"),
    (MAVERICK, Layout(8, dcp=2), "DCP 2 cannot split the KV cache of sliding-window"),
    (V4_FLASH, Layout(8, dcp=2), "DCP 2 cannot split the KV cache of sliding-window"),
    (QWEN3_235B, Layout(4, dcp=2), "DCP needs TP above the 4 KV heads, and TP is 4"),
    (QWEN3_235B, Layout(8, dcp=4), "DCP 4 exceeds the 2 copies of 4 KV heads at TP 8"),
    (DEEPSEEK_V32, Layout(4, dcp=2), "at most 31 heads per card, and TP 4 leaves 32"),
    (DEEPSEEK_V32, Layout(8, dcp=8), "DCP 8 gathers 128 heads, more than the 64"),
    (QWEN3_235B, Layout(4, 3), "12 cards are more than a node of 8 and do not fill 2"),
    (QWEN3_235B, Layout(1, 8, pp=3), "a DP rank of 3 cards is neither a part nor a multiple"),
]

LEGAL = [
    (QWEN3_235B, Layout(8)),
    (QWEN3_235B, Layout(8, dcp=2)),
    (QWEN3_235B, Layout(16, 4, expert_parallel=True)),
    (QWEN3_NEXT, Layout(4)),
    (QWEN3_NEXT, Layout(8, dcp=2, expert_parallel=True, dp=2)),
    (DEEPSEEK_V32, Layout(1, 16, expert_parallel=True)),
    (DEEPSEEK_V32, Layout(8, dcp=4)),
    (DEEPSEEK_V32, Layout(8, pp=2)),
    (GLM_5, Layout(8, dcp=8)),
    (KIMI_K25, Layout(8, dcp=8)),
    (V4_FLASH, Layout(8)),
    (MIXTRAL, Layout(2, 4, expert_parallel=True)),
    (MIXTRAL, Layout(1, 6, expert_parallel=True)),
    (GPT_OSS, Layout(2, 12, expert_parallel=True)),
]


@pytest.mark.parametrize(("shape", "layout", "told"), REFUSED, ids=lambda each: str(each)[:24])
def test_a_refusal_is_one_sentence_with_the_numbers(
    shape: Shape, layout: Layout, told: str
) -> None:
    found = refusal(shape, layout)
    assert found is not None
    assert told in found
    assert "\n" not in found
    assert not found.endswith(".")


@pytest.mark.parametrize(("shape", "layout"), LEGAL, ids=lambda each: str(each)[:24])
def test_legal_layouts(shape: Shape, layout: Layout) -> None:
    assert refusal(shape, layout) is None


def test_a_tensor_group_over_nodes_is_whole_nodes() -> None:
    plain = replace(QWEN3_32B, vocab=64 * 48, feed_forward=(Dense(48, 12_288),))
    single = replace(plain, attention=(Gqa(48, 96, 24, 128),))
    assert refusal(single, Layout(3, pp=8)) == (
        "TP 3 is neither a part nor a multiple of a node of 8 cards"
    )
    assert refusal(single, Layout(24)) is None


def test_shared_experts_are_whole_where_tokens_are_split() -> None:
    """With EP, TP and DP the engine splits tokens in place of the shared expert."""
    sliced = Layout(8, 2)
    split = Layout(8, 2, expert_parallel=True)
    assert "shared expert" in str(refusal(QWEN3_NEXT, sliced))
    assert refusal(QWEN3_NEXT, split) is None


def test_every_rule_refuses_something_here() -> None:
    for rule in RULES:
        refused = [layout for shape, layout, _ in REFUSED if rule(shape, layout)]
        assert refused, rule.__name__


@given(shape=st.sampled_from(list(ALL.values())), tp=st.integers(1, 8))
def test_more_stages_change_nothing_within_a_node(shape: Shape, tp: int) -> None:
    """PP divides layers only; what TP was refused for stays, and nothing is added."""
    wide = [refusal(shape, Layout(tp, pp=pp, cards_per_node=64)) for pp in (1, 2, 4)]
    assert len(set(wide)) == 1
