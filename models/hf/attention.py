"""The attention layers of a config.json, grouped by kind.

Layers of a kind that cannot be sized (state-space layers, say) are refused by name: leaving them
out would make a model look smaller than it is.
"""

from __future__ import annotations

from collections import Counter
from typing import TypeVar

from models.hf.keys import Keys
from models.shape import Attention, CompressedLatent, DeltaNet, Gqa, Indexer, Mla

FULL, SLIDING = "full_attention", "sliding_attention"
CHUNKED, LINEAR = "chunked_attention", "linear_attention"

# The names that transformers gives to DeepSeek-V4's layers, and their ratios.
RATIOS = {SLIDING: 0, "compressed_sparse_attention": 4, "heavily_compressed_attention": 128}
INDEXED_RATIO = 4

_STATE_SPACE = ("hybrid_override_pattern", "mamba_d_state", "ssm_state_size", "attn_layer_indices")
_LLAMA4_FULL_EVERY = 4

Kind = TypeVar("Kind", int, str)


def attention_of(keys: Keys, layers: int, architecture: str) -> tuple[Attention, ...]:
    if any(keys.has(name) for name in _STATE_SPACE):
        keys.problems.append("state-space layers cannot be sized")
    ratios = _ratios(keys, layers)
    if ratios:
        return tuple(_compressed(keys, count, ratio) for ratio, count in _counted(ratios))
    if keys.has("kv_lora_rank"):
        return (_latent(keys, layers),)
    parts: list[Attention] = []
    for kind, count in _counted(_kinds(keys, layers)):
        if kind == LINEAR:
            parts.append(_delta_net(keys, count))
        elif kind in (FULL, SLIDING, CHUNKED):
            parts.append(_grouped(keys, count, kind, architecture))
        else:
            keys.problems.append(f"layers of kind {kind!r:.40} cannot be sized")
    return tuple(parts)


def _counted(kinds: list[Kind]) -> list[tuple[Kind, int]]:
    return sorted(Counter(kinds).items())


def _ratios(keys: Keys, layers: int) -> list[int]:
    ratios = keys.per_layer("compress_ratios", layers)
    if not ratios:
        kinds = keys.per_layer("layer_types", layers)
        if not set(kinds) & set(RATIOS) - {SLIDING}:
            return []
        ratios = [RATIOS.get(kind) for kind in kinds]
    if not set(ratios) <= set(RATIOS.values()):
        keys.problems.append(f"compress_ratios may be {sorted(RATIOS.values())}")
        return [0]
    return ratios


def _kinds(keys: Keys, layers: int) -> list[str]:
    """The kind of each layer, by whichever of the keys the family uses."""
    kinds = keys.per_layer("layer_types", layers)
    if kinds:
        return [str(kind) for kind in kinds]
    numbers = range(1, layers + 1)
    if keys.has("full_attention_interval"):
        every = keys.count("full_attention_interval")
        return [LINEAR if number % every else FULL for number in numbers]
    if keys.has("attention_chunk_size"):
        rotary = keys.per_layer("no_rope_layers", layers)  # 0: no rotary positions, sees all
        rotary = rotary or [number % _LLAMA4_FULL_EVERY for number in numbers]
        return [CHUNKED if turned else FULL for turned in rotary]
    if keys.has("sliding_window") and keys.config.get("use_sliding_window") is not False:
        full = keys.count_or(0, "max_window_layers") if keys.flag("use_sliding_window") else 0
        return [FULL if number <= full else SLIDING for number in numbers]
    return [FULL] * layers


def _grouped(keys: Keys, layers: int, kind: str, architecture: str) -> Gqa:
    heads = keys.count("num_attention_heads")
    if not keys.has("num_key_value_heads"):
        keys.assume("num_key_value_heads: taken as num_attention_heads")
    return Gqa(
        layers=layers,
        heads=heads,
        kv_heads=keys.count("num_key_value_heads", "num_attention_heads"),
        head_dim=_head_dim(keys, heads),
        window_tokens=keys.count("sliding_window") if kind == SLIDING else None,
        chunk_tokens=keys.count("attention_chunk_size") if kind == CHUNKED else None,
        biased=keys.flag("attention_bias"),
        gated=keys.flag("attn_output_gate") or architecture.startswith("Qwen3Next"),
        normed=keys.flag("use_qk_norm") or architecture.startswith("Qwen3"),
    )


def _head_dim(keys: Keys, heads: int) -> int:
    if keys.has("head_dim"):
        return keys.count("head_dim")
    hidden = keys.count("hidden_size")
    if hidden % heads:
        keys.problems.append(f"head_dim is missing, and {hidden} does not divide by {heads} heads")
    return max(1, hidden // heads)


def _indexer(keys: Keys) -> Indexer | None:
    if not keys.has("index_n_heads", "index_head_dim", "index_topk"):
        return None
    return Indexer(
        heads=keys.count("index_n_heads"),
        head_dim=keys.count("index_head_dim"),
        top_k=keys.count("index_topk"),
    )


def _latent(keys: Keys, layers: int) -> Mla:
    return Mla(
        layers=layers,
        heads=keys.count("num_attention_heads"),
        q_rank=keys.count_or(0, "q_lora_rank"),
        kv_rank=keys.count("kv_lora_rank"),
        rope_dim=keys.count("qk_rope_head_dim"),
        nope_dim=keys.count("qk_nope_head_dim"),
        value_dim=keys.count("v_head_dim"),
        indexer=_indexer(keys),
    )


def _compressed(keys: Keys, layers: int, ratio: int) -> CompressedLatent:
    return CompressedLatent(
        layers=layers,
        heads=keys.count("num_attention_heads"),
        head_dim=keys.count("head_dim"),
        rope_dim=keys.count("qk_rope_head_dim"),
        q_rank=keys.count("q_lora_rank"),
        output_groups=keys.count("o_groups"),
        output_rank=keys.count("o_lora_rank"),
        ratio=ratio,
        window_tokens=keys.count("sliding_window"),
        indexer=_indexer(keys) if ratio == INDEXED_RATIO else None,
    )


def _delta_net(keys: Keys, layers: int) -> DeltaNet:
    wide = keys.config.get("mamba_ssm_dtype") == "float32"
    return DeltaNet(
        layers=layers,
        key_heads=keys.count("linear_num_key_heads"),
        value_heads=keys.count("linear_num_value_heads"),
        key_dim=keys.count("linear_key_head_dim"),
        value_dim=keys.count("linear_value_head_dim"),
        conv_width=keys.count("linear_conv_kernel_dim"),
        state_bytes_per_value=4 if wide else 2,
    )
