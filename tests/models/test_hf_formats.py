from __future__ import annotations

from typing import Any

import pytest

from models.hf_formats import BF16, FP8_BLOCK128, FP8_CHANNEL, MXFP4, formats_of, with_fp8_block
from models.shape import Format, Formats
from models.tensors import stored_bytes
from tests.models.published import FP8_BLOCK, FP8_PER_CHANNEL, LLAMA4_FP8, published

INT4_GROUP32 = Format("int4_group32", 4, 32, 2)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("DeepSeek-V3/R1", Formats(FP8_BLOCK128, FP8_BLOCK128, FP8_BLOCK128)),
        ("GLM-5 FP8", Formats(FP8_BLOCK128, FP8_BLOCK128, FP8_BLOCK128)),
        ("Qwen3-235B FP8", Formats(FP8_BLOCK128, FP8_BLOCK128, FP8_BLOCK128)),
        ("MiniMax-M2/M2.5 FP8", Formats(FP8_BLOCK128, FP8_BLOCK128, FP8_BLOCK128)),
        ("V4-Flash", Formats(MXFP4, FP8_BLOCK128, FP8_BLOCK128)),
        ("gpt-oss-120b", Formats(MXFP4, BF16, BF16)),
        ("Kimi-K2.5 INT4", Formats(INT4_GROUP32, BF16, BF16)),
        ("Maverick FP8", Formats(FP8_CHANNEL, BF16, BF16)),
        ("Mixtral BF16", Formats(BF16, BF16, BF16)),
    ],
)
def test_formats_of_published_models(name: str, expected: Formats) -> None:
    assert published(name).formats == expected


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        (FP8_BLOCK, Formats(FP8_BLOCK128, FP8_BLOCK128, FP8_BLOCK128)),
        ({"quant_method": "fp8"}, Formats(FP8_CHANNEL, FP8_CHANNEL, FP8_CHANNEL)),
        (FP8_PER_CHANNEL, Formats(FP8_CHANNEL, FP8_CHANNEL, FP8_CHANNEL)),
        (LLAMA4_FP8, Formats(FP8_CHANNEL, BF16, BF16)),
        (
            {"quant_method": "gptq", "bits": 4, "group_size": 32},
            Formats(INT4_GROUP32, INT4_GROUP32, INT4_GROUP32),
        ),
        (
            FP8_BLOCK | {"modules_to_not_convert": ["model.layers.3.self_attn.kv_a_layernorm"]},
            Formats(FP8_BLOCK128, FP8_BLOCK128, FP8_BLOCK128),  # a norm is not the attention
        ),
        (
            FP8_BLOCK | {"modules_to_not_convert": ["model.layers.*.self_attn"]},
            Formats(FP8_BLOCK128, BF16, FP8_BLOCK128),
        ),
    ],
)
def test_schemes(scheme: dict[str, Any], expected: Formats) -> None:
    assert formats_of({"quantization_config": scheme}) == (expected, None)


@pytest.mark.parametrize(
    "scheme",
    [
        {"quant_method": "new"},
        {},
        {"quant_method": "fp8", "weight_block_size": [64, 64]},
        {"quant_method": "gptq", "bits": 3, "group_size": 32},
        {"quant_method": "compressed-tensors", "config_groups": {}},
    ],
)
def test_an_unknown_scheme_is_counted_as_bf16_and_said(scheme: dict[str, Any]) -> None:
    formats, assumed = formats_of({"quantization_config": scheme})
    assert formats == Formats(BF16, BF16, BF16)
    assert assumed is not None
    assert "counted as BF16" in assumed


def test_the_fp8_repository_of_a_bf16_model() -> None:
    assert with_fp8_block(published("Qwen3-235B BF16")) == published("Qwen3-235B FP8")


def test_scales_are_counted() -> None:
    assert stored_bytes(32, BF16) == 64
    assert stored_bytes(128 * 128, FP8_BLOCK128) == 128 * 128 + 4
    assert stored_bytes(32, MXFP4) == 17
    assert stored_bytes(64, INT4_GROUP32) == 36
