"""Bytes and operations of attention, against sums written out by hand."""

from __future__ import annotations

import pytest

from models.layout import Layout
from models.speed.attention_work import kv_bytes_read, prompt_operations, token_operations
from tests.models.shapes import (
    DEEPSEEK_V3,
    DEEPSEEK_V32,
    GPT_OSS,
    MAVERICK,
    QWEN3_235B,
    QWEN3_NEXT,
    V4_FLASH,
)


def test_grouped_heads_are_spread_over_cards_down_to_one() -> None:
    one, four, eight = (kv_bytes_read(QWEN3_235B, Layout(tp), "bf16", 1000.0) for tp in (1, 4, 8))
    assert one == 94 * 2 * 4 * 128 * 2 * 1000
    assert four == one / 4
    assert eight == four  # a KV head is copied


def test_fp8_keys_are_half_and_context_parallel_ranks_share_them() -> None:
    whole = kv_bytes_read(QWEN3_235B, Layout(8), "bf16", 1000.0)
    assert kv_bytes_read(QWEN3_235B, Layout(8), "fp8", 1000.0) == whole / 2
    assert kv_bytes_read(QWEN3_235B, Layout(8, dcp=2), "bf16", 1000.0) == whole / 2


def test_a_latent_is_whole_on_every_card() -> None:
    for tp in (1, 8):
        assert kv_bytes_read(DEEPSEEK_V3, Layout(tp), "bf16", 1000.0) == 61 * 576 * 2 * 1000


def test_windows_and_chunks_bound_what_is_read() -> None:
    near, far = (kv_bytes_read(GPT_OSS, Layout(1), "bf16", n) for n in (128.0, 10_128.0))
    assert far - near == 18 * 2 * 8 * 64 * 2 * 10_000  # half of the layers see all of it
    chunked = kv_bytes_read(MAVERICK, Layout(1), "bf16", 20_000.0)
    assert chunked == (12 * 20_000 + 36 * 8192) * 2 * 8 * 128 * 2


def test_sparse_attention_reads_its_picks_and_all_index_keys() -> None:
    read = kv_bytes_read(DEEPSEEK_V32, Layout(8), "bf16", 10_000.0)
    assert read == pytest.approx(61 * (2048 * 576 * 2 + 10_000 * 132))


def test_a_state_is_read_and_written_whatever_the_length() -> None:
    grouped = 12 * 2 * 2 * 256 * 2
    short, long = (kv_bytes_read(QWEN3_NEXT, Layout(1), "bf16", n) for n in (100.0, 1100.0))
    assert long - short == grouped * 1000
    assert short - grouped * 100 == 2 * 36 * (8192 * 3 * 2 + 32 * 128 * 128 * 2)


def test_compressed_latents_grow_by_their_ratios() -> None:
    near, far = (kv_bytes_read(V4_FLASH, Layout(1), "fp8", n) for n in (128_000.0, 256_000.0))
    # Ratio 4 reads its picks and looks at all index keys; ratio 128 reads all of its entries.
    assert far - near == pytest.approx(21 * 32_000 * 132 + 20 * 1000 * 584)


def test_a_token_multiplies_with_what_it_sees() -> None:
    assert token_operations(QWEN3_235B, Layout(4), 1000.0) == 94 * 4 * 64 * 128 * 1000 / 4
    latent = 61 * 2 * 128 * (2 * 512 + 64) * 1000 / 8
    assert token_operations(DEEPSEEK_V3, Layout(8), 1000.0) == latent


def test_a_prompt_looks_at_half_of_its_square_of_tokens() -> None:
    assert prompt_operations(QWEN3_235B, Layout(1), 1000.0) == 94 * 4 * 64 * 128 * 500_000
    heads = 61 * 2 * 128 * (128 + 64 + 128) * 500_000
    assert prompt_operations(DEEPSEEK_V3, Layout(1), 1000.0) == heads


def test_a_long_prompt_is_linear_in_a_window() -> None:
    def windowed(tokens: float) -> float:
        whole = 18 * 4 * 64 * 64 * tokens * tokens / 2
        return prompt_operations(GPT_OSS, Layout(1), tokens) - whole

    assert windowed(20_000.0) - windowed(10_000.0) == 18 * 4 * 64 * 64 * 128 * 10_000
