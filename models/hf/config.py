"""Reads a Hugging Face ``config.json`` into a Shape.

Attention and feed-forward layers are recognised by their keys, so that a model of the same
family needs no code of its own; an architecture that is not known by name says so in
``Shape.unknown``. A config that lacks what the arithmetic needs is refused with every missing key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.hf.attention import attention_of
from models.hf.context import context_of
from models.hf.keys import BadModelConfig, Keys
from models.hf.quantization_config import SCHEMES, formats_of
from models.shape import Dense, FeedForward, Moe, Shape

__all__ = ["BadModelConfig", "shape_of"]

LAYERS_MAX = 1024  # lists of layers are walked one by one

# Those whose keys were compared with the engine's own code for them.
KNOWN_ARCHITECTURES = frozenset(
    {
        "DeepseekV3ForCausalLM",
        "DeepseekV32ForCausalLM",
        "DeepseekV4ForCausalLM",
        "Glm4MoeForCausalLM",
        "GlmMoeDsaForCausalLM",
        "GptOssForCausalLM",
        "KimiK25ForConditionalGeneration",
        "Llama4ForConditionalGeneration",
        "LlamaForCausalLM",
        "MiniMaxM2ForCausalLM",
        "MixtralForCausalLM",
        "Qwen3ForCausalLM",
        "Qwen3MoeForCausalLM",
        "Qwen3NextForCausalLM",
        "Qwen3_5MoeForConditionalGeneration",
    }
)

_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
_TOP_K = ("num_experts_per_tok", "experts_per_token", "num_experts_per_token")
_ONLY_WITH_EXPERTS = (*_TOP_K, "moe_intermediate_size", "n_shared_experts")
_NESTED = ("text_config", "llm_config", "language_config")


def shape_of(config: Mapping[str, Any]) -> Shape:
    """The text model of a config.json; raises BadModelConfig."""
    text = _text_config(config)
    keys = Keys(text)
    architecture = _architecture(keys)
    layers = keys.count("num_hidden_layers", most=LAYERS_MAX)
    attention = attention_of(keys, layers, architecture)
    feed_forward = _feed_forward(keys, layers, architecture)
    formats, assumed = formats_of(text, layers)
    for each in assumed:
        keys.assume(each)
    if architecture not in KNOWN_ARCHITECTURES:
        keys.assume(f"architecture {architecture}: not known here, derived from its keys")
        if not keys.has("tie_word_embeddings"):
            keys.assume("tie_word_embeddings: taken as false")
    hidden, vocab = keys.count("hidden_size"), keys.count("vocab_size")
    context_tokens_max = context_of(keys)
    keys.refuse_if_bad()
    return Shape(
        architecture=architecture,
        hidden=hidden,
        vocab=vocab,
        context_tokens_max=context_tokens_max,
        attention=attention,
        feed_forward=feed_forward,
        formats=formats,
        tied_embeddings=keys.flag("tie_word_embeddings"),
        residual_streams=keys.count_or(1, "hc_mult"),
        unknown=keys.assumed,
    )


def _text_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of the language model; what it lacks is taken from around it.

    The engine reads the quantization around a nested config first, and so does this.
    """
    nested: Mapping[str, Any] = next(
        (config[key] for key in _NESTED if isinstance(config.get(key), Mapping)), {}
    )
    around = {key: value for key, value in config.items() if key not in _NESTED}
    inner = {key: value for key, value in nested.items() if value is not None}
    first = ("architectures", *SCHEMES)
    return around | inner | {key: around[key] for key in first if around.get(key) is not None}


def _architecture(keys: Keys) -> str:
    names = keys.config.get("architectures")
    if isinstance(names, list) and names and isinstance(names[0], str):
        return names[0]
    keys.problems.append("architectures is missing: the engine's name for this kind of model")
    return ""


def _feed_forward(keys: Keys, layers: int, architecture: str) -> tuple[FeedForward, ...]:
    if not keys.count_or(0, *_EXPERTS):
        signs = [key for key in _ONLY_WITH_EXPERTS if keys.count_or(0, key)]
        if signs or "moe" in architecture.lower():
            keys.problems.append(
                f"no number of experts, though {', '.join(signs) or architecture} speaks of them: "
                f"give one of {', '.join(_EXPERTS)}"
            )
        return (Dense(layers, keys.count("intermediate_size")),)
    moe_layers = _moe_layers(keys, layers)
    inter = keys.count("moe_intermediate_size", "intermediate_size")
    moe = Moe(
        layers=moe_layers,
        experts=keys.count(*_EXPERTS),
        top_k=keys.count(*_TOP_K),
        inter=inter,
        shared_inter=_shared_inter(keys, inter),
        biased=architecture == "GptOssForCausalLM",
    )
    if moe.top_k > moe.experts > 0:
        keys.problems.append(f"a token visits {moe.top_k} of {moe.experts} experts")
    if moe_layers == layers:
        return (moe,)
    dense = Dense(layers - moe_layers, keys.count("intermediate_size_mlp", "intermediate_size"))
    return (dense, moe) if moe_layers else (dense,)


def _shared_inter(keys: Keys, inter: int) -> int:
    if keys.has("interleave_moe_layer_step"):
        return inter  # Llama 4: one shared expert in each layer with experts, no key for it
    shared = keys.count_or(0, "n_shared_experts", "num_shared_experts")
    return shared * inter or keys.count_or(
        0, "shared_expert_intermediate_size", "shared_intermediate_size"
    )


def _moe_layers(keys: Keys, layers: int) -> int:
    """How many layers have experts, by whichever of the keys the family uses."""
    kinds = keys.per_layer("mlp_layer_types", layers)
    if kinds:
        return sum(kind != "dense" for kind in kinds)
    if keys.has("interleave_moe_layer_step"):
        return layers // keys.count("interleave_moe_layer_step")
    frequency = keys.per_layer("moe_layer_freq", layers)
    if frequency:
        return sum(map(bool, frequency))
    dense_first = keys.count_or(0, "first_k_dense_replace")
    every = keys.count_or(1, "moe_layer_freq") or 1
    step = keys.count_or(1, "decoder_sparse_step") or 1
    listed = keys.config.get("mlp_only_layers")
    dense_only = listed if isinstance(listed, list) else []
    return sum(
        index >= dense_first
        and index % every == 0
        and (index + 1) % step == 0
        and index not in dense_only
        for index in range(layers)
    )
