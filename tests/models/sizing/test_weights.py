from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.hf.config import shape_of
from models.layout import Layout
from models.sizing.tensors import Share, tensors
from models.sizing.weights import weights, weights_per_card
from models.tiny.tokenizer import VOCAB_SIZE
from models.tiny.weights import TinyShape, model_config, tensor_shapes
from tests.models.published import GLM_45, layout_of, published

GIB = 1 << 30

LAYOUTS = ("TP1", "TP2", "TP4", "TP8", "TP1·DP8·EP", "TP2·DP4·EP", "TP16", "TP8·PP2", "TP1·DP16·EP")
# GB of the checkpoint, of its routed, sharded, embedding and replicated weights, and then GiB per
# card under LAYOUTS. Source: this project's research notes on models and cards of 2026-11-21, §4.
TABLE = """
DeepSeek-V3.2 | 673.9 654.1 14.24 3.71 1.88 | 627.6 314.7 158.2 80.0 94.6 86.3 40.9 40.0 56.5
DeepSeek-V3/R1 | 673.0 654.1 14.24 3.71 1.03 | 626.8 313.9 157.4 79.2 93.8 85.5 40.1 39.6 55.7
V4-Flash | 156.0 147.2 5.41 2.12 1.26 | 145.2 73.2 37.2 19.2 25.3 21.8 10.2 9.6 16.7
V4-Pro | 850.7 822.1 21.43 3.71 3.48 | 792.3 397.7 200.5 101.9 122.4 110.6 52.6 50.9 74.5
Qwen3-235B FP8 | 236.4 227.2 6.70 2.49 0.05 | 220.2 110.1 55.1 27.6 35.1 30.8 13.8 13.8 21.8
Qwen3-235B BF16 | 470.2 454.2 13.40 2.49 0.10 | 437.9 219.0 109.5 54.8 67.8 60.4 27.5 27.4 41.3
Qwen3-30B FP8 | 31.2 29.0 0.91 1.24 0.01 | 29.0 14.5 7.3 3.6 5.4 4.4 1.8 1.8 3.7
Qwen3-30B BF16 | 61.1 58.0 1.81 1.24 0.03 | 56.9 28.4 14.2 7.1 9.6 8.2 3.6 3.6 6.2
Coder-480B FP8 | 482.1 468.2 10.14 3.73 0.06 | 449.0 224.5 112.3 56.2 67.5 61.0 28.1 28.1 40.2
Coder-480B BF16 | 960.3 936.2 20.28 3.73 0.12 | 894.4 447.2 223.7 111.9 131.5 120.3 56.0 55.9 77.0
Next-80B FP8 | 80.3 77.3 1.69 1.24 0.05 | 74.8 37.4 18.7 9.4 11.8 10.4 4.7 4.7 7.3
Next-80B BF16 | 159.3 154.6 3.38 1.24 0.10 | 148.4 74.3 37.2 18.6 22.4 20.3 9.4 9.3 13.4
GLM-4.5/4.6 FP8 | 354.4 336.0 15.21 3.10 0.08 | 330.1 165.1 82.6 41.3 56.2 47.7 20.7 20.7 36.7
GLM-4.5/4.6 BF16 | 705.6 671.9 30.41 3.10 0.15 | 657.1 328.6 164.4 82.3 109.6 94.0 41.2 41.1 70.5
GLM-5 FP8 | 746.0 725.0 15.13 3.81 2.11 | 694.8 348.4 175.2 88.6 104.0 95.2 45.3 44.3 61.8
Kimi-K2 FP8 | 1029.0 1014.9 8.29 4.70 1.09 | 958.3 479.7 240.3 120.7 131.3 125.2 60.8 60.3 72.2
Kimi-K2.5 INT4 | 594.2 570.8 16.57 4.70 2.18 | 553.4 277.7 139.9 71.0 88.3 78.4 36.5 35.5 55.1
MiniMax-M2/M2.5 FP8 | 230.0 224.7 2.73 2.46 0.05 | 214.2 107.1 53.6 26.8 31.0 28.6 13.4 13.4 18.0
gpt-oss-120b | 65.2 60.9 1.91 2.32 0.03 | 60.7 30.4 15.2 7.6 11.1 9.1 3.8 3.8 7.5
gpt-oss-20b | 13.8 10.2 1.27 2.32 0.01 | 12.8 6.4 3.2 1.6 4.5 2.9 0.8 0.8 3.9
Maverick BF16 | 801.4 773.1 24.16 4.14 0.03 | 746.4 373.2 186.6 93.3 116.4 103.2 46.7 46.7 71.4
Maverick FP8 | 414.9 386.5 24.16 4.14 0.03 | 386.4 193.2 96.6 48.3 71.4 58.2 24.2 24.2 48.9
Mixtral BF16 | 93.4 90.2 2.68 0.52 0.00 | 87.0 43.5 21.7 10.9 13.5 12.0 5.4 5.4 8.2
"""
ROWS = [line.split(" | ") for line in TABLE.strip().splitlines()]


def numbers(text: str) -> list[float]:
    return [float(cell) for cell in text.split()]


@pytest.mark.parametrize(("name", "parts", "cards"), ROWS, ids=[row[0] for row in ROWS])
def test_weights_are_those_of_the_table(name: str, parts: str, cards: str) -> None:
    shape = published(name)
    found = weights(shape)
    total, routed, sharded, embedding, replicated = (size * 1e9 for size in numbers(parts))
    assert found.total == pytest.approx(total, rel=0.01)
    assert found.routed_bytes == pytest.approx(routed, rel=0.01)
    assert found.sharded_bytes == pytest.approx(sharded, rel=0.01)
    assert found.embedding_bytes == pytest.approx(embedding, rel=0.01)
    # The table counts routers and the indexer's keys as if they were FP8; engines load BF16.
    assert found.replicated_bytes == pytest.approx(replicated, rel=0.01, abs=0.001 * total)
    for layout, gib in zip(LAYOUTS, numbers(cards), strict=True):
        # Half of the last printed digit, on top of the percent.
        per_card = weights_per_card(shape, layout_of(layout)) / GIB
        assert per_card == pytest.approx(gib, abs=0.01 * gib + 0.05), layout


def test_replicated_weights_at_the_width_of_the_table() -> None:
    """DeepSeek-V3's 1.03 GB: latents and routers, one byte each."""
    replicated = [
        part
        for part in tensors(published("DeepSeek-V3/R1"))
        if part.share is Share.REPLICATED and part.part != "norms"
    ]
    assert sum(part.params for part in replicated) / 1e9 == pytest.approx(1.03, rel=0.01)


@given(
    tp=st.sampled_from([1, 2, 4, 8]), dp=st.integers(1, 8), pp=st.integers(1, 4), ep=st.booleans()
)
def test_cards_together_hold_at_least_the_model_and_more_cards_hold_less_each(
    tp: int, dp: int, pp: int, ep: bool
) -> None:
    shape = shape_of(GLM_45)
    layout = Layout(tp, dp, pp, expert_parallel=ep)
    per_card = weights_per_card(shape, layout)
    assert per_card * layout.cards >= weights(shape).total
    assert weights_per_card(shape, Layout(2 * tp, dp, pp, expert_parallel=ep)) < per_card


def test_experts_that_do_not_divide_leave_one_card_with_more() -> None:
    shape = shape_of(GLM_45)  # 160 experts
    sliced, whole = (
        weights_per_card(shape, Layout(8, 8, expert_parallel=ep)) for ep in (False, True)
    )
    routed = weights(shape).routed_bytes
    assert whole - sliced == pytest.approx(routed * (3 / 160 - 1 / 64), rel=1e-6)


def test_kv_heads_are_copied_beyond_their_number() -> None:
    shape = published("Qwen3-235B BF16")  # 4 KV heads
    kv = next(part for part in tensors(shape) if part.part == "attention_kv")
    rest = weights(shape).total - kv.weight_bytes
    replicated = weights(shape).replicated_bytes
    expected = (rest - replicated) / 8 + replicated + kv.weight_bytes / 4
    assert weights_per_card(shape, Layout(8)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("tiny", [TinyShape(), TinyShape(layers=3, experts=6, kv_heads=4)])
def test_the_tiny_model_is_counted_to_the_byte(tiny: TinyShape) -> None:
    shape = shape_of(model_config(VOCAB_SIZE, end_id=1, pad_id=0, shape=tiny))
    written = tensor_shapes(VOCAB_SIZE, tiny).values()
    params = sum(size[0] * (size[1:] or (1,))[0] for size in written)
    assert weights(shape).total == 2 * params
    assert weights_per_card(shape, Layout(1)) == 2 * params
