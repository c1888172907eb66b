from __future__ import annotations

from typing import Any

import pytest

from models.catalogue import load_catalogue
from models.hf.config import shape_of
from models.hf.quantization_config import formats_of, with_fp8_block
from models.hf.weight_formats import BF16, FP8_BLOCK128, FP8_CHANNEL, MXFP4
from models.shape import Format, Formats
from models.sizing.memory import GIB
from models.sizing.tensors import stored_bytes
from models.sizing.weights import weights
from tests.models.published import FP8_BLOCK, FP8_PER_CHANNEL, LLAMA4_FP8, published

INT4_GROUP32 = Format("int4_group32", 4, 32, 2)
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 32}
LAYERS = 48
QWEN3_30B = load_catalogue().get("qwen3-30b-a3b").config


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
            GPTQ,
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
    assert formats_of({"quantization_config": scheme}, LAYERS) == (expected, ())


@pytest.mark.parametrize(
    "scheme",
    [
        {"quant_method": "new"},
        {},
        {"quant_method": "fp8", "weight_block_size": [64, 64]},
        {"quant_method": "gptq", "bits": 3, "group_size": 32},
        {"quant_method": "compressed-tensors", "config_groups": {}},
        {
            "quant_method": "compressed-tensors",
            "config_groups": {"g": {"weights": {"type": "odd"}}},
        },
        {"quant_method": "compressed-tensors", "config_groups": {"g": []}},
        GPTQ | {"dynamic": {"-:.*experts.*": {}}},  # rules of their own for single modules
        FP8_BLOCK | {"quantized_layers": {"layers.0.ffn.experts": {"quant_algo": "NVFP4"}}},
        FP8_BLOCK | FP8_PER_CHANNEL | {"quant_method": "fp8"},
        "fp8",
    ],
)
def test_an_unknown_scheme_is_counted_as_bf16_and_said(scheme: Any) -> None:
    formats, notes = formats_of({"quantization_config": scheme}, LAYERS)
    assert formats == Formats(BF16, BF16, BF16)
    (note,) = notes
    assert "counted as BF16" in note


def test_a_scheme_under_a_name_that_is_not_read_is_said() -> None:
    formats, (note,) = formats_of({"quantization": {"bits": 4, "group_size": 64}}, LAYERS)
    assert formats == Formats(BF16, BF16, BF16)
    assert note == "quantization: not read here: weights counted as BF16"
    assert formats_of({"quantization_config": None, "quantized": False}, LAYERS) == (formats, ())


def test_the_older_name_of_a_scheme_is_read_as_the_engine_reads_it() -> None:
    expected = Formats(FP8_CHANNEL, FP8_CHANNEL, FP8_CHANNEL), ()
    assert formats_of({"compression_config": FP8_PER_CHANNEL}, LAYERS) == expected
    older = {key: value for key, value in FP8_PER_CHANNEL.items() if key != "quant_method"}
    assert formats_of({"compression_config": older}, LAYERS) == expected
    both = {"quantization_config": GPTQ, "compression_config": FP8_PER_CHANNEL}
    assert formats_of(both, LAYERS)[0].routed == INT4_GROUP32
    config = QWEN3_30B | {"compression_config": FP8_PER_CHANNEL}
    assert weights(shape_of(config)).total < 31 * GIB


@pytest.mark.parametrize(
    "ignored",
    [
        ["re:.*experts.*"],
        ["re:.*mlp\\.experts\\..*"],
        ["mlp.experts"],
        ["re:.*"],
        ["re:^(?!.*self_attn).*"],  # what cannot be read could be the experts
        [f"model.layers.{n}.mlp.experts" for n in range(LAYERS)],
        ["Qwen3MoeSparseMoeBlock"],
    ],
)
def test_experts_that_are_kept_as_they_are_count_as_they_are(ignored: list[str]) -> None:
    """The FP8 repository of a model of 57 GiB, whose experts were left in BF16: not 29 GiB."""
    config = QWEN3_30B
    scheme = FP8_PER_CHANNEL | {"ignore": ignored}
    size = weights(shape_of(config | {"quantization_config": scheme})).total
    assert 55 * GIB < size < 58 * GIB
    assert weights(shape_of(config | {"quantization_config": FP8_PER_CHANNEL})).total < 31 * GIB


def groups(*targets: list[str]) -> dict[str, Any]:
    """The first in INT4, the second in FP8, the third not quantised."""
    weights_of: list[dict[str, Any] | None] = [
        {"type": "int", "num_bits": 4, "group_size": 32},
        {"type": "float", "num_bits": 8},
        None,
    ]
    found = {
        f"group_{number}": {"targets": each, "weights": weights_of[number]}
        for number, each in enumerate(targets)
    }
    return {"quant_method": "compressed-tensors", "config_groups": found}


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        (groups(["Linear"]), Formats(INT4_GROUP32, INT4_GROUP32, INT4_GROUP32)),
        (groups(["re:.*experts.*"]), Formats(INT4_GROUP32, BF16, INT4_GROUP32)),
        (groups(["re:.*mlp\\.experts.*"]), Formats(INT4_GROUP32, BF16, BF16)),
        (
            groups(["re:.*mlp\\.experts.*"], ["Linear"]),
            Formats(INT4_GROUP32, FP8_CHANNEL, FP8_CHANNEL),
        ),
        (
            groups(["Linear"], ["re:.*self_attn.*"]),
            Formats(INT4_GROUP32, FP8_CHANNEL, INT4_GROUP32),
        ),
        (
            groups(["re:.*mlp.*"], ["re:.*attn.*"]),
            Formats(INT4_GROUP32, FP8_CHANNEL, INT4_GROUP32),
        ),
        (
            groups(["Linear"], ["re:.*attn.*"], ["mlp.experts"]),
            Formats(BF16, FP8_CHANNEL, INT4_GROUP32),
        ),
        (groups([], ["Linear"]), Formats(FP8_CHANNEL, FP8_CHANNEL, FP8_CHANNEL)),
    ],
)
def test_each_group_of_modules_has_its_own_format(
    scheme: dict[str, Any], expected: Formats
) -> None:
    assert formats_of({"quantization_config": scheme}, LAYERS) == (expected, ())


def test_of_several_formats_the_widest_counts_and_is_said() -> None:
    scheme = groups(["Linear"], ["re:.*experts.*down_proj"])
    formats, notes = formats_of({"quantization_config": scheme}, LAYERS)
    assert (formats.routed, formats.attention) == (FP8_CHANNEL, INT4_GROUP32)
    assert "routed experts stored as fp8_channel, int4_group32: counted as fp8_channel" in notes[0]
    odd = groups(["Linear"], ["re:.*self_attn.*"])
    odd["config_groups"]["group_1"]["weights"] = {"type": "float", "num_bits": 4}
    formats, (note,) = formats_of({"quantization_config": odd}, LAYERS)
    assert (formats.attention, formats.routed) == (BF16, INT4_GROUP32)
    assert note == "config_groups: a format of attention is not known here: counted as BF16"


def test_a_group_whose_targets_cannot_be_read_makes_all_of_it_unknown() -> None:
    scheme = groups(["Linear"], ["re:(?i).*ATTN.*"])
    formats, (note,) = formats_of({"quantization_config": scheme}, LAYERS)
    assert formats == Formats(BF16, BF16, BF16)
    assert "counted as BF16" in note
    scheme = groups(["Linear"], ["transformer.blocks"])
    formats, (note,) = formats_of({"quantization_config": scheme}, LAYERS)
    assert formats.routed == INT4_GROUP32
    assert "'transformer.blocks' is no module that is known here" in note


@pytest.mark.parametrize(
    ("kept", "attention", "note"),
    [
        (["model.layers.0.self_attn"], FP8_BLOCK128, "kept in 1 of 48 layers, counted as fp8_bl"),
        (
            [f"model.layers.{n}.self_attn" for n in range(7)],
            BF16,
            "attention kept in 7 of 48 layers, counted as bf16",
        ),
        (["re:.*self_attn\\.q_proj"], BF16, "attention kept in part, counted as bf16"),
        (["re:.*(?=attn)"], BF16, "'re:.*(?=attn)' cannot be read: weights counted as BF16"),
        (["blocks.attn.Wqkv"], FP8_BLOCK128, "no module that is known here, counted like the rest"),
    ],
)
def test_what_is_kept_in_part_is_said(kept: list[str], attention: Format, note: str) -> None:
    scheme = FP8_BLOCK | {"modules_to_not_convert": kept}
    formats, (said,) = formats_of({"quantization_config": scheme}, LAYERS)
    assert formats.attention == attention
    assert note in said
    assert said.startswith("quantization 'fp8': ")


def test_what_a_scheme_says_beside_the_weights_is_no_riddle() -> None:
    beside = {
        "kv_cache_scheme": {"num_bits": 8},
        "sparsity_config": {"format": "dense"},
        "transform_config": {},
        "ignore": [],
    }
    assert formats_of({"quantization_config": FP8_PER_CHANNEL | beside}, LAYERS)[1] == ()


def test_the_fp8_repository_of_a_bf16_model() -> None:
    assert with_fp8_block(published("Qwen3-235B BF16")) == published("Qwen3-235B FP8")


def test_scales_are_counted() -> None:
    assert stored_bytes(32, BF16) == 64
    assert stored_bytes(128 * 128, FP8_BLOCK128) == 128 * 128 + 4
    assert stored_bytes(32, MXFP4) == 17
    assert stored_bytes(64, INT4_GROUP32) == 36
