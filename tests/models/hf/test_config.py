from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.hf.config import KNOWN_ARCHITECTURES, BadModelConfig, shape_of
from models.hf.keys import PROBLEMS_MAX
from models.shape import CompressedLatent, DeltaNet, Dense, Gqa, Indexer, Mla, Moe, Shape
from models.sizing.tensors import tensors
from models.sizing.weights import weights
from models.tiny.tokenizer import VOCAB_SIZE
from models.tiny.weights import model_config
from tests.models.published import FILES, GLM_45, QWEN3_NEXT, published, published_config
from tests.models.tiny.params import active_params

SMALL: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "intermediate_size": 128,
    "max_position_embeddings": 2048,
    "num_attention_heads": 4,
    "num_hidden_layers": 6,
    "num_key_value_heads": 2,
    "vocab_size": 1000,
}
SMALL_MOE = SMALL | {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32}

# Billions of parameters of the main model, by the publishers or by their shapes.
TOTALS = {
    "Coder-480B BF16": 480.15,
    "DeepSeek-V3.2": 671.88,
    "DeepSeek-V3/R1": 671.03,
    "GLM-5 FP8": 743.91,
    "Kimi-K2 FP8": 1026.41,
    "MiniMax-M2/M2.5 FP8": 228.69,
    "Maverick BF16": 400.7,
    "Mixtral BF16": 46.70,
    "Next-80B BF16": 79.67,
    "Qwen3-235B BF16": 235.09,
    "Qwen3-30B BF16": 30.53,
    "Qwen3-32B": 32.8,
    "Qwen3.5-397B": 397.0,
    "V4-Flash": 284.33,
    "V4-Pro": 1573.0,
    "gpt-oss-120b": 116.83,
    "gpt-oss-20b": 20.91,
}


def gqa_parts(config: dict[str, Any]) -> list[Gqa]:
    return [part for part in shape_of(config).attention if isinstance(part, Gqa)]


@pytest.mark.parametrize("name", TOTALS)
def test_parameters_add_up_to_what_is_published(name: str) -> None:
    total = sum(part.params for part in tensors(published(name)))
    assert total / 1e9 == pytest.approx(TOTALS[name], rel=0.002)


@pytest.mark.parametrize("name", FILES)
def test_a_published_config_leaves_nothing_unknown(name: str) -> None:
    shape = published(name)
    assert shape.unknown == ()
    assert shape.architecture in KNOWN_ARCHITECTURES


def test_latent_attention_with_an_indexer() -> None:
    shape = published("DeepSeek-V3.2")
    assert shape.attention == (
        Mla(61, 128, 1536, 512, 64, 128, 128, Indexer(heads=64, head_dim=128, top_k=2048)),
    )
    assert shape.feed_forward == (Dense(3, 18432), Moe(58, 256, 8, 2048, shared_inter=2048))


def test_compressed_attention_by_ratio() -> None:
    parts = published("V4-Flash").attention
    assert all(isinstance(part, CompressedLatent) for part in parts)
    assert [
        (part.ratio, part.layers, part.indexer is not None)
        for part in parts
        if isinstance(part, CompressedLatent)
    ] == [(0, 2, False), (4, 21, True), (128, 20, False)]


def test_windows_and_chunks() -> None:
    windowed = gqa_parts(published_config(FILES["gpt-oss-120b"]))
    assert {part.window_tokens: part.layers for part in windowed} == {128: 18, None: 18}
    chunked = gqa_parts(published_config(FILES["Maverick BF16"]))
    assert {part.chunk_tokens: part.layers for part in chunked} == {8192: 36, None: 12}


def test_every_second_layer_of_llama_4_has_experts_and_one_shared() -> None:
    shape = published("Maverick BF16")
    assert shape.feed_forward == (Dense(24, 16384), Moe(24, 128, 1, 8192, shared_inter=8192))


def test_linear_attention_between_full_layers() -> None:
    net, full = sorted(shape_of(QWEN3_NEXT).attention, key=lambda part: -part.layers)
    assert net == DeltaNet(36, 16, 32, 128, 128, 4)
    assert full == Gqa(12, 16, 2, 256, gated=True, normed=True)


def test_a_dense_model_has_no_experts() -> None:
    shape = published("Qwen3-32B")
    assert shape.moe is None
    assert shape.feed_forward == (Dense(64, 25600),)


def test_the_tiny_model() -> None:
    shape = shape_of(model_config(VOCAB_SIZE, end_id=1, pad_id=0))
    assert shape.unknown == ()
    # A token looks up one row of the embedding: the catalogue counts the whole table for it.
    active = sum(part.active_params for part in tensors(shape))
    assert active + VOCAB_SIZE * shape.hidden == active_params(VOCAB_SIZE)


@pytest.mark.parametrize(
    ("extra", "moe_layers"),
    [
        ({}, 6),
        ({"first_k_dense_replace": 2}, 4),
        ({"moe_layer_freq": 2}, 3),
        ({"moe_layer_freq": [0, 1, 1, 1, 1, 1]}, 5),
        ({"decoder_sparse_step": 3}, 2),
        ({"mlp_only_layers": [0, 5]}, 4),
        ({"interleave_moe_layer_step": 2}, 3),
        ({"mlp_layer_types": ["dense", "sparse", "moe", "moe", "moe", "moe"]}, 5),
    ],
)
def test_which_layers_have_experts(extra: dict[str, Any], moe_layers: int) -> None:
    shape = shape_of(SMALL_MOE | extra)
    assert shape.moe is not None
    assert shape.moe.layers == moe_layers
    assert sum(part.layers for part in shape.feed_forward) == shape.layers == 6


@pytest.mark.parametrize("key", ["num_experts", "num_local_experts", "n_routed_experts"])
def test_experts_by_any_of_their_names(key: str) -> None:
    config = SMALL | {key: 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
    assert shape_of(config).moe == Moe(6, 8, 2, 32)


@pytest.mark.parametrize(
    ("extra", "windowed"),
    [
        ({"sliding_window": 100}, 6),
        ({"sliding_window": 100, "use_sliding_window": False}, 0),
        ({"sliding_window": None}, 0),
        ({"sliding_window": 100, "use_sliding_window": True, "max_window_layers": 4}, 2),
        ({"sliding_window": 100, "layer_types": ["full_attention", "sliding_attention"] * 3}, 3),
    ],
)
def test_which_layers_see_a_window(extra: dict[str, Any], windowed: int) -> None:
    parts = gqa_parts(SMALL | extra)
    assert sum(part.layers for part in parts if part.window_tokens == 100) == windowed
    assert sum(part.layers for part in parts) == 6


def test_an_architecture_that_is_not_known_is_derived_and_said() -> None:
    config = SMALL | {"architectures": ["NewForCausalLM"]}
    del config["num_key_value_heads"]
    shape = shape_of(config)
    assert shape.attention == (Gqa(6, heads=4, kv_heads=4, head_dim=16),)
    assert shape.unknown == (
        "num_key_value_heads: taken as num_attention_heads",
        "architecture NewForCausalLM: not known here, derived from its keys",
        "tie_word_embeddings: taken as false",
    )


def test_every_missing_key_is_listed() -> None:
    with pytest.raises(BadModelConfig) as caught:
        shape_of({})
    assert set(caught.value.problems) == {
        "architectures is missing: the engine's name for this kind of model",
        "num_hidden_layers is missing",
        "num_attention_heads is missing",
        "num_key_value_heads or num_attention_heads is missing",
        "hidden_size is missing",
        "intermediate_size is missing",
        "vocab_size is missing",
        "max_position_embeddings is missing",
    }
    assert str(caught.value).startswith("this config.json cannot be sized: ")


def test_experts_without_a_number_are_refused() -> None:
    config = {key: value for key, value in GLM_45.items() if key != "n_routed_experts"}
    with pytest.raises(BadModelConfig, match=r"no number of experts, though .* give one"):
        shape_of(config)
    with pytest.raises(BadModelConfig, match="Qwen3MoeForCausalLM speaks of them"):
        shape_of(SMALL | {"architectures": ["Qwen3MoeForCausalLM"]})


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ({"hidden_size": "64"}, "hidden_size must be a whole number of 1 to"),
        ({"hidden_size": True}, "hidden_size must be"),
        ({"vocab_size": -1}, "vocab_size must be"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers must be a whole number of 1 to 1024"),
        ({"num_attention_heads": 5}, "64 does not divide by 5 heads"),
        ({"layer_types": ["full_attention"]}, "layer_types has 1 entries for 6 layers"),
        ({"layer_types": ["mamba"] * 6}, "layers of kind 'mamba' cannot be sized"),
        ({"layer_types": [[]] * 6}, "layer_types must list whole numbers or names"),
        ({"compress_ratios": [3] * 6}, "compress_ratios may be"),
        ({"mamba_d_state": 16}, "state-space layers cannot be sized"),
        ({"num_experts": 2, "num_experts_per_tok": 4}, "a token visits 4 of 2 experts"),
    ],
)
def test_a_wrong_value_is_refused_by_name(extra: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadModelConfig) as caught:
        shape_of(SMALL | extra)
    assert problem in str(caught.value)
    assert len(caught.value.problems) <= PROBLEMS_MAX


def test_a_nested_config_is_read_with_what_stands_around_it() -> None:
    nested = {"architectures": ["Around"], "text_config": SMALL | {"quantization_config": None}}
    shape = shape_of(nested | {"quantization_config": {"quant_method": "fp8"}})
    assert shape.architecture == "Around"
    assert shape.attention == shape_of(SMALL).attention
    assert shape.formats.routed.name == "fp8_channel"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 300) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
KEYS = sorted(
    {*SMALL_MOE, *GLM_45, *QWEN3_NEXT}
    | {"compress_ratios", "head_dim", "hc_mult", "kv_lora_rank", "layer_types", "mlp_layer_types"}
    | {"attention_chunk_size", "no_rope_layers", "q_lora_rank", "sliding_window", "text_config"}
    | {"index_n_heads", "mlp_only_layers", "quantization_config", "interleave_moe_layer_step"}
)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4))
def test_any_config_is_sized_or_refused(changed: dict[str, Any]) -> None:
    for config in (SMALL_MOE, GLM_45, QWEN3_NEXT):
        try:
            shape = shape_of(config | changed)
        except BadModelConfig:
            continue
        assert isinstance(shape, Shape)
        assert shape.layers == sum(part.layers for part in shape.feed_forward)
        assert weights(shape).total > 0


@pytest.mark.parametrize("name", ["DeepSeek-V3.2", "Maverick BF16", "V4-Flash", "Qwen3.5-397B"])
def test_a_config_that_transformers_has_read_gives_the_same_shape(name: str) -> None:
    transformers = pytest.importorskip("transformers")
    config = published_config(FILES[name])
    rest = {key: value for key, value in config.items() if key != "model_type"}
    read = transformers.AutoConfig.for_model(config["model_type"], **rest)
    assert shape_of(read.to_dict()) == shape_of(config)
