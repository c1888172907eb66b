"""The configuration and the random weights of the tiny model, a real Qwen3-MoE in miniature.

Its shape can be chosen, so that arithmetic about shapes can be held against a real engine.

Random weights alone would produce control tokens and halves of Chinese characters. One channel
of the hidden state prevents that: every embedding holds the same constant there, no layer writes
to it, and so the output layer can use it as a bias against each token that must not appear.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

CONTEXT_TOKENS_MAX = 4096

BIAS_CHANNEL = 0
# Its share of the hidden state's norm is small, yet after the last normalisation it is about 3.
BIAS_INPUT = 4.0
# Spread of the logits of ordinary tokens: text varies, and greedy decoding still has a clear best.
LOGIT_SPREAD = 2.25
# How much one sublayer adds to the hidden state, relative to the embedding.
SUBLAYER_GAIN = 0.5
SILENT_WEIGHT = -8.0
# Sampled answers end by themselves after some hundred tokens; greedy ones run to their limit.
END_WEIGHT = 0.85

Weights = npt.NDArray[np.float32]
Bfloat16Bits = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class TinyShape:
    layers: int = 2
    hidden: int = 128
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 32
    experts: int = 8
    experts_per_token: int = 2
    expert_hidden: int = 64


TINY = TinyShape()


def model_config(
    vocab_size: int, end_id: int, pad_id: int, shape: TinyShape = TINY
) -> dict[str, Any]:
    """The content of ``config.json``."""
    return {
        "architectures": ["Qwen3MoeForCausalLM"],
        "model_type": "qwen3_moe",
        "dtype": "bfloat16",
        "vocab_size": vocab_size,
        "hidden_size": shape.hidden,
        "intermediate_size": 2 * shape.expert_hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "num_experts": shape.experts,
        "num_experts_per_tok": shape.experts_per_token,
        "moe_intermediate_size": shape.expert_hidden,
        "norm_topk_prob": True,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "max_position_embeddings": CONTEXT_TOKENS_MAX,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "use_sliding_window": False,
        "tie_word_embeddings": False,
        "initializer_range": 0.02,
        "bos_token_id": None,
        "eos_token_id": end_id,
        "pad_token_id": pad_id,
    }


def tensor_shapes(vocab_size: int, shape: TinyShape = TINY) -> dict[str, tuple[int, ...]]:
    """Every tensor of the checkpoint, under the name that engines look for, in writing order."""
    vocabulary = (vocab_size, shape.hidden)
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": vocabulary}
    for layer in range(shape.layers):
        shapes |= {f"model.layers.{layer}.{name}": s for name, s in _layer_shapes(shape).items()}
    return shapes | {"model.norm.weight": (shape.hidden,), "lm_head.weight": vocabulary}


def _layer_shapes(shape: TinyShape) -> dict[str, tuple[int, ...]]:
    hidden, inner = shape.hidden, shape.expert_hidden
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    shapes: dict[str, tuple[int, ...]] = {
        "input_layernorm.weight": (hidden,),
        "self_attn.q_proj.weight": (queries, hidden),
        "self_attn.k_proj.weight": (keys, hidden),
        "self_attn.v_proj.weight": (keys, hidden),
        "self_attn.o_proj.weight": (hidden, queries),
        "self_attn.q_norm.weight": (shape.head_dim,),
        "self_attn.k_norm.weight": (shape.head_dim,),
        "post_attention_layernorm.weight": (hidden,),
        "mlp.gate.weight": (shape.experts, hidden),
    }
    for expert in range(shape.experts):
        shapes[f"mlp.experts.{expert}.gate_proj.weight"] = (inner, hidden)
        shapes[f"mlp.experts.{expert}.up_proj.weight"] = (inner, hidden)
        shapes[f"mlp.experts.{expert}.down_proj.weight"] = (hidden, inner)
    return shapes


def make_weights(
    seed: int,
    vocab_size: int,
    silent_ids: Iterable[int],
    end_id: int,
    shape: TinyShape = TINY,
) -> dict[str, Weights]:
    """All tensors, the same for the same arguments. Uniform draws: they need no libm."""
    random = np.random.Generator(np.random.PCG64(seed))
    shapes = tensor_shapes(vocab_size, shape)
    weights = {name: _draw(random, name, sizes) for name, sizes in shapes.items()}
    weights["model.embed_tokens.weight"][:, BIAS_CHANNEL] = BIAS_INPUT
    output = weights["lm_head.weight"]
    output[:, BIAS_CHANNEL] = 0.0
    for token_id in {*silent_ids, end_id}:
        output[token_id] = 0.0
        output[token_id, BIAS_CHANNEL] = END_WEIGHT if token_id == end_id else SILENT_WEIGHT
    return weights


def _draw(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> Weights:
    if name.endswith("norm.weight"):
        return np.ones(shape, dtype=np.float32)
    weights = random.random(shape, dtype=np.float32) * 2 - 1
    weights *= np.float32(_deviation(name, shape) * math.sqrt(3))
    if name.endswith(("o_proj.weight", "down_proj.weight")):
        weights[BIAS_CHANNEL] = 0.0
    if name.endswith("mlp.gate.weight"):
        weights[:, BIAS_CHANNEL] = 0.0  # or the constant would favour the same experts always
    return weights


def _deviation(name: str, shape: tuple[int, ...]) -> float:
    """Keeps each layer's output near unit size, whatever its input width."""
    if name.startswith("model.embed_tokens"):
        return 1.0
    unit = 1 / math.sqrt(shape[-1])
    if name.startswith("lm_head"):
        return LOGIT_SPREAD * unit
    if name.endswith("o_proj.weight"):
        return SUBLAYER_GAIN * unit
    if name.endswith("down_proj.weight"):
        return 2 * SUBLAYER_GAIN * unit  # the gated input is about half the size
    return unit


def bfloat16_bits(values: Weights) -> Bfloat16Bits:
    """The upper half of each finite float32, rounded to nearest, ties to even."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    rounding = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return ((bits + rounding) >> np.uint32(16)).astype(np.uint16)
