from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.hf.config import shape_of
from models.layout import Layout
from models.shape import Shape
from models.sizing.kv_cache import (
    DELTA_NET_STATES,
    KvDtype,
    default_kv_dtype,
    kv_bytes_per_request_per_card,
    kv_bytes_per_token_per_card,
)
from tests.models.published import QWEN3_NEXT, published

GIB = 1 << 30

# Bytes per token and card at TP 1, 2, 4, 8 with a BF16 and with an FP8 cache. Source: this
# project's research notes on models and cards of 2026-11-21, §3; its "÷ TP" and "half" written out.
TABLE: dict[str, tuple[list[int], list[int]]] = {
    "DeepSeek-V3/R1": ([70_272] * 4, [35_136] * 4),
    "Kimi-K2 FP8": ([70_272] * 4, [35_136] * 4),
    "Kimi-K2.5 INT4": ([70_272] * 4, [35_136] * 4),
    "DeepSeek-V3.2": ([78_324] * 4, [48_068] * 4),
    "GLM-5 FP8": ([100_152] * 4, [61_464] * 4),
    "Qwen3-235B BF16": ([192_512, 96_256, 48_128, 48_128], [96_256, 48_128, 24_064, 24_064]),
    "Qwen3-30B BF16": ([98_304, 49_152, 24_576, 24_576], [49_152, 24_576, 12_288, 12_288]),
    "Coder-480B BF16": ([253_952, 126_976, 63_488, 31_744], [126_976, 63_488, 31_744, 15_872]),
    "Next-80B BF16": ([24_576, 12_288, 12_288, 12_288], [12_288, 6_144, 6_144, 6_144]),
    "GLM-4.5/4.6 BF16": ([376_832, 188_416, 94_208, 47_104], [188_416, 94_208, 47_104, 23_552]),
    "MiniMax-M2/M2.5 FP8": ([253_952, 126_976, 63_488, 31_744], [126_976, 63_488, 31_744, 15_872]),
    "gpt-oss-120b": ([36_864, 18_432, 9_216, 4_608], [18_432, 9_216, 4_608, 2_304]),
    "gpt-oss-20b": ([24_576, 12_288, 6_144, 3_072], [12_288, 6_144, 3_072, 1_536]),
    "Maverick BF16": ([49_152, 24_576, 12_288, 6_144], [24_576, 12_288, 6_144, 3_072]),
    "Mixtral BF16": ([131_072, 65_536, 32_768, 16_384], [65_536, 32_768, 16_384, 8_192]),
    # Not in the table; 15 of 60 layers with 2 KV heads of 256, and 64 layers with 8 of 128.
    "Qwen3.5-397B": ([30_720, 15_360, 15_360, 15_360], [15_360, 7_680, 7_680, 7_680]),
    "Qwen3-32B": ([262_144, 131_072, 65_536, 32_768], [131_072, 65_536, 32_768, 16_384]),
}


def per_token(shape: Shape, kv_dtype: KvDtype, tp: int = 1, pp: int = 1, dcp: int = 1) -> int:
    return kv_bytes_per_token_per_card(shape, Layout(tp, pp=pp, dcp=dcp), kv_dtype)


@pytest.mark.parametrize("name", TABLE)
def test_bytes_per_token_are_those_of_the_table(name: str) -> None:
    shape = published(name)
    found = tuple(
        [per_token(shape, kv_dtype, tp=tp) for tp in (1, 2, 4, 8)] for kv_dtype in ("bf16", "fp8")
    )
    assert found == TABLE[name]


@pytest.mark.parametrize(("name", "expected"), [("V4-Flash", 3_915), ("V4-Pro", 5_609)])
def test_compressed_latents_are_the_same_at_any_tp(name: str, expected: int) -> None:
    shape = published(name)
    assert default_kv_dtype(shape) == "fp8"
    assert {per_token(shape, "fp8", tp=tp) for tp in (1, 2, 4, 8)} == {expected}


def test_only_makers_of_sparse_attention_run_it_on_an_fp8_cache() -> None:
    assert default_kv_dtype(published("DeepSeek-V3.2")) == "fp8"
    assert default_kv_dtype(published("DeepSeek-V3/R1")) == "bf16"
    assert default_kv_dtype(published("Qwen3-235B FP8")) == "bf16"


def test_context_parallel_ranks_share_the_copies() -> None:
    """Kimi-K2 on 8 cards: 715,072 tokens at TP 8, 5,721,088 with DCP 8, by the vLLM recipes."""
    latent = published("Kimi-K2.5 INT4")
    assert per_token(latent, "bf16", tp=8, dcp=8) * 8 == per_token(latent, "bf16", tp=8)
    grouped = published("Qwen3-235B BF16")  # TP 8 keeps two copies of 4 KV heads
    assert per_token(grouped, "bf16", tp=8, dcp=2) * 2 == per_token(grouped, "bf16", tp=8)


def test_a_stage_holds_only_its_layers() -> None:
    shape = published("DeepSeek-V3.2")
    assert per_token(shape, "fp8", tp=8, pp=2) == 48_068 // 2


@pytest.mark.parametrize(
    ("batched_tokens", "flash_gib", "pro_gib"),
    [
        (512, 0.41, 0.59),
        (2048, 1.58, 2.26),
        (4096, 3.13, 4.49),
        (8192, 6.24, 8.94),
        (16384, 12.45, 17.84),
    ],
)
def test_the_request_constant_of_compressed_models_is_what_the_engine_computes(
    batched_tokens: int, flash_gib: float, pro_gib: float
) -> None:
    """§5.3 of the notes, computed there with the engine's own code."""
    for name, gib in (("V4-Flash", flash_gib), ("V4-Pro", pro_gib)):
        found = kv_bytes_per_request_per_card(published(name), Layout(1), "fp8", batched_tokens)
        assert found / GIB == pytest.approx(gib, abs=0.005)


def test_a_decoding_request_of_v4_flash_holds_26_blocks() -> None:
    found = kv_bytes_per_request_per_card(published("V4-Flash"), Layout(1), "fp8", 0)
    assert found == 26 * 1_002_240


def test_a_window_holds_whole_blocks_and_one_more() -> None:
    shape = published("gpt-oss-120b")
    blocks = -(-(127 + 2 * 8192) // 16) + 1
    found = kv_bytes_per_request_per_card(shape, Layout(2), "bf16", 8192)
    assert found == blocks * 16 * 36_864 // 2  # as many windowed layers as full ones


def test_up_to_its_chunk_every_layer_of_llama_4_holds_a_request() -> None:
    """196,608 bytes per token up to 8,192 tokens, by §3 of the notes."""
    shape = published("Maverick BF16")
    bounded = kv_bytes_per_request_per_card(shape, Layout(1), "bf16", 0, request_tokens=4096)
    assert bounded + 4096 * per_token(shape, "bf16") == 4096 * 196_608
    whole = kv_bytes_per_request_per_card(shape, Layout(1), "bf16", 0)
    assert whole == 8192 * (196_608 - 49_152)


def test_the_state_of_a_delta_net_is_fixed_and_sharded() -> None:
    """39.5 MB per sequence for Qwen3-Next, by §3 of the notes, times the states that are kept."""
    shape = shape_of(QWEN3_NEXT)
    one, four = (kv_bytes_per_request_per_card(shape, Layout(tp), "bf16", 0) for tp in (1, 4))
    assert one == DELTA_NET_STATES * 36 * (8192 * 3 * 2 + 32 * 128 * 128 * 2)
    assert one == 4 * four
    wide = shape_of(QWEN3_NEXT | {"mamba_ssm_dtype": "float32"})
    assert kv_bytes_per_request_per_card(wide, Layout(1), "bf16", 0) > 1.9 * one


@given(
    name=st.sampled_from(["gpt-oss-120b", "V4-Flash", "Maverick BF16"]),
    batched=st.integers(0, 20_000),
    tokens=st.integers(1, 200_000),
)
def test_what_a_request_takes_grows_with_its_batch_and_its_length(
    name: str, batched: int, tokens: int
) -> None:
    shape = published(name)

    def taken(batched_tokens: int, request_tokens: int) -> int:
        return kv_bytes_per_request_per_card(
            shape, Layout(1), "fp8", batched_tokens, request_tokens=request_tokens
        )

    assert 0 < taken(batched, tokens) <= taken(batched + 1, tokens)
    assert taken(batched, tokens) <= taken(batched, tokens + 1)


def test_a_window_holds_one_token_less_than_its_width_beside_the_new_one() -> None:
    """The widths of these models hide it but where the tokens in flight end a block."""
    layout = Layout(1, pp=2)
    windowed = kv_bytes_per_request_per_card(published("gpt-oss-120b"), layout, "bf16", 11)
    assert windowed == ((127 + 3 * 11) // 16 + 1) * 16 * 36_864 // 2
    compressed = kv_bytes_per_request_per_card(published("V4-Flash"), layout, "fp8", 43)
    in_flight = 3 * 43
    blocks = 2 * ((127 + in_flight) // 64 + 1) + ((7 + in_flight) // 4 + 1)
    blocks += (127 + in_flight) // 8 + 1
    assert compressed == blocks * 1_002_240 // 2
