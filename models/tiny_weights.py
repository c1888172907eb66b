"""The configuration and the random weights of the tiny model, a real Qwen3-MoE in miniature.

Random weights alone would produce control tokens and halves of Chinese characters. One channel
of the hidden state prevents that: every embedding holds the same constant there, no layer writes
to it, and so the output layer can use it as a bias against each token that must not appear.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

HIDDEN = 128
LAYERS = 2
HEADS = 4
KV_HEADS = 2
HEAD_DIM = 32
EXPERTS = 8
EXPERTS_PER_TOKEN = 2
EXPERT_HIDDEN = 64
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


def model_config(vocab_size: int, end_id: int, pad_id: int) -> dict[str, Any]:
    """The content of ``config.json``."""
    return {
        "architectures": ["Qwen3MoeForCausalLM"],
        "model_type": "qwen3_moe",
        "dtype": "bfloat16",
        "vocab_size": vocab_size,
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * EXPERT_HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "num_experts": EXPERTS,
        "num_experts_per_tok": EXPERTS_PER_TOKEN,
        "moe_intermediate_size": EXPERT_HIDDEN,
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


def tensor_shapes(vocab_size: int) -> dict[str, tuple[int, ...]]:
    """Every tensor of the checkpoint, under the name that engines look for, in writing order."""
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (vocab_size, HIDDEN)}
    for layer in range(LAYERS):
        shapes |= {f"model.layers.{layer}.{name}": s for name, s in _layer_shapes().items()}
    return shapes | {"model.norm.weight": (HIDDEN,), "lm_head.weight": (vocab_size, HIDDEN)}


def _layer_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "input_layernorm.weight": (HIDDEN,),
        "self_attn.q_proj.weight": (HEADS * HEAD_DIM, HIDDEN),
        "self_attn.k_proj.weight": (KV_HEADS * HEAD_DIM, HIDDEN),
        "self_attn.v_proj.weight": (KV_HEADS * HEAD_DIM, HIDDEN),
        "self_attn.o_proj.weight": (HIDDEN, HEADS * HEAD_DIM),
        "self_attn.q_norm.weight": (HEAD_DIM,),
        "self_attn.k_norm.weight": (HEAD_DIM,),
        "post_attention_layernorm.weight": (HIDDEN,),
        "mlp.gate.weight": (EXPERTS, HIDDEN),
    }
    for expert in range(EXPERTS):
        shapes[f"mlp.experts.{expert}.gate_proj.weight"] = (EXPERT_HIDDEN, HIDDEN)
        shapes[f"mlp.experts.{expert}.up_proj.weight"] = (EXPERT_HIDDEN, HIDDEN)
        shapes[f"mlp.experts.{expert}.down_proj.weight"] = (HIDDEN, EXPERT_HIDDEN)
    return shapes


def active_params(vocab_size: int) -> int:
    """Parameters that one token passes through: all but the experts that were not chosen."""
    total = sum(int(np.prod(shape)) for shape in tensor_shapes(vocab_size).values())
    expert = 3 * EXPERT_HIDDEN * HIDDEN
    return total - LAYERS * (EXPERTS - EXPERTS_PER_TOKEN) * expert


def make_weights(
    seed: int, vocab_size: int, silent_ids: Iterable[int], end_id: int
) -> dict[str, Weights]:
    """All tensors, the same for the same arguments. Uniform draws: they need no libm."""
    random = np.random.Generator(np.random.PCG64(seed))
    weights = {name: _draw(random, name, s) for name, s in tensor_shapes(vocab_size).items()}
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
