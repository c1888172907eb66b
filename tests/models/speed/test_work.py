"""What a load asks of a card, against sums by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cards import Card, load_cards
from models.layout import Layout
from models.shape import Shape
from models.sizing.tensors import Share, tensors
from models.speed.work import Load, UnknownSpeed, Work, work_of
from tests.models.shapes import DEEPSEEK_V3, DEEPSEEK_V32, GPT_OSS, QWEN3_32B, QWEN3_235B

H200 = load_cards()["h200"]
LOAD = Load(1000, 500, 64)
TP4 = Layout(4)
BANDWIDTH, BF16, FP8 = 4.8e12, 989e12, 1978e12


def work(
    shape: Shape = QWEN3_235B, layout: Layout = TP4, load: Load = LOAD, card: Card = H200
) -> Work:
    return work_of(shape, layout, card, load, "bf16")


@pytest.mark.parametrize(
    "layout", [Layout(8), Layout(2, 4, expert_parallel=True), Layout(4, 2), Layout(1, 8)]
)
def test_experts_are_spread_over_all_cards_of_a_stage(layout: Layout) -> None:
    routed = sum(t.weight_bytes for t in tensors(QWEN3_235B) if t.share is Share.ROUTED)
    assert work(layout=layout).routed_read_s == pytest.approx(routed / 8 / BANDWIDTH)
    token = 2 * 94 * 8 * 3 * 4096 * 1536 / 8 / FP8
    assert work(layout=layout).routed_token_s == pytest.approx(token)


def test_each_rank_reads_all_weights_that_are_not_experts() -> None:
    split, ranks = work(layout=Layout(4)), work(layout=Layout(1, 4, expert_parallel=True))
    assert ranks.shared_read_s > 3.8 * split.shared_read_s
    assert ranks.exchange_token_s > 0
    assert ranks.reduce_token_s == 0
    assert split.exchange_token_s == 0


def test_only_fp8_weights_multiply_in_fp8() -> None:
    packed = work(GPT_OSS, Layout(1))
    assert packed.routed_token_s == pytest.approx(
        2 * sum(t.active_params for t in tensors(GPT_OSS) if t.share is Share.ROUTED) / BF16
    )
    assert packed.routed_read_s < work(GPT_OSS, Layout(1), card=load_cards()["h100"]).routed_read_s


def test_a_dense_model_has_no_experts_to_visit() -> None:
    dense = work(QWEN3_32B, Layout(2))
    assert (dense.expert_share, dense.routed_read_s, dense.moe_layers) == (0, 0, 0)
    assert dense.linked_layers == 64
    assert work(QWEN3_32B, Layout(1)).linked_layers == 0


def test_layers_of_each_kind_are_counted() -> None:
    assert work(DEEPSEEK_V3, Layout(8)).latent_layers == 61
    assert work(DEEPSEEK_V3, Layout(8)).sparse_layers == 0
    assert work(DEEPSEEK_V32, Layout(8)).sparse_layers == 61


def test_an_output_matrix_that_is_also_the_embedding_is_read() -> None:
    tied = replace(QWEN3_32B, tied_embeddings=True)
    assert work(tied, Layout(1)).head_read_s == work(QWEN3_32B, Layout(1)).head_read_s > 0


def test_links_between_nodes_are_the_network() -> None:
    inside, across = work(layout=Layout(8)), work(layout=Layout(16))
    assert across.reduce_token_s > 8 * inside.reduce_token_s


def test_long_prompts_come_in_chunks() -> None:
    long = work(load=Load(20_000, 100, 8))
    assert long.chunks == 3
    assert long.chunk_tokens == pytest.approx(20_000 / 3)


@given(
    st.integers(1, 40_000), st.integers(1, 8_000), st.integers(1, 512), st.sampled_from([1, 2, 8])
)
def test_every_prompt_of_the_others_is_taken_in_once(
    input_tokens: int, output_tokens: int, concurrency: int, ranks: int
) -> None:
    found = work(layout=Layout(1, ranks), load=Load(input_tokens, output_tokens, concurrency))
    taken_in = found.prompt_steps * found.prompt_tokens * output_tokens
    assert taken_in == pytest.approx((concurrency - 1) * input_tokens)
    assert 0 <= found.prompt_steps <= 1
    assert found.prompt_tokens / ranks <= found.rank_prompt_tokens * (1 + 1e-9)
    assert found.rank_prompt_tokens <= found.prompt_tokens


@pytest.mark.parametrize("bad", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_nothing_starts_below_one(bad: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="start at 1"):
        Load(*bad)


def test_a_card_without_figures_has_no_speed() -> None:
    with pytest.raises(UnknownSpeed, match="card cpu"):
        work(card=load_cards()["cpu"])
