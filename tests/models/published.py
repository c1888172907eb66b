"""Published models and the layouts of the tables that they are checked against.

Models whose config.json lies beside the checkout are read from there. Three others are typed in
from what is public of them: Qwen3-Next (its configuration class), GLM-4.5 (its training scripts),
and the FP8 repository of Llama 4 Maverick, whose experts alone are quantised.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from models.hf.config import shape_of
from models.hf.quantization_config import with_fp8_block
from models.layout import Layout
from models.shape import Shape

CONFIGS = Path(__file__).parents[3] / "shared" / "data" / "hf_configs"

FP8_BLOCK = {"quant_method": "fp8", "weight_block_size": [128, 128]}
FP8_PER_CHANNEL: dict[str, Any] = {
    "quant_method": "compressed-tensors",
    "config_groups": {"group_0": {"weights": {"type": "float", "num_bits": 8}}},
    "ignore": ["lm_head"],
}
LLAMA4_FP8 = FP8_PER_CHANNEL | {
    "ignore": [
        "re:.*lm_head",
        "re:.*self_attn",
        "re:.*router",
        "re:.*feed_forward.gate_proj",
        "re:.*feed_forward.up_proj",
        "re:.*feed_forward.down_proj",
        "re:.*shared_expert",
    ],
}
QWEN3_NEXT: dict[str, Any] = {
    "architectures": ["Qwen3NextForCausalLM"],
    "full_attention_interval": 4,
    "head_dim": 256,
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 128,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 32,
    "linear_value_head_dim": 128,
    "max_position_embeddings": 262144,
    "moe_intermediate_size": 512,
    "num_attention_heads": 16,
    "num_experts": 512,
    "num_experts_per_tok": 10,
    "num_hidden_layers": 48,
    "num_key_value_heads": 2,
    "shared_expert_intermediate_size": 512,
    "vocab_size": 151936,
}
GLM_45: dict[str, Any] = {
    "architectures": ["Glm4MoeForCausalLM"],
    "attention_bias": True,
    "first_k_dense_replace": 3,
    "head_dim": 128,
    "hidden_size": 5120,
    "intermediate_size": 12288,
    "max_position_embeddings": 131072,
    "moe_intermediate_size": 1536,
    "n_routed_experts": 160,
    "n_shared_experts": 1,
    "num_attention_heads": 96,
    "num_experts_per_tok": 8,
    "num_hidden_layers": 92,
    "num_key_value_heads": 8,
    "num_nextn_predict_layers": 1,
    "use_qk_norm": True,
    "vocab_size": 151552,
}
FILES = {
    "Coder-480B BF16": "Qwen--Qwen3-Coder-480B-A35B-Instruct",
    "DeepSeek-V3.2": "deepseek-ai--DeepSeek-V3.2",
    "DeepSeek-V3/R1": "deepseek-ai--DeepSeek-R1",
    "GLM-5 FP8": "zai-org--GLM-5-FP8",
    "Kimi-K2 FP8": "moonshotai--Kimi-K2-Instruct",
    "Kimi-K2.5 INT4": "moonshotai--Kimi-K2.5",
    "Maverick BF16": "meta-llama--Llama-4-Maverick-17B-128E-Instruct",
    "MiniMax-M2/M2.5 FP8": "MiniMaxAI--MiniMax-M2.5",
    "Mixtral BF16": "mistralai--Mixtral-8x7B-v0.1",
    "Qwen3-235B BF16": "Qwen--Qwen3-235B-A22B",
    "Qwen3-235B FP8": "Qwen--Qwen3-235B-A22B-FP8",
    "Qwen3-30B BF16": "Qwen--Qwen3-30B-A3B",
    "Qwen3-30B FP8": "Qwen--Qwen3-30B-A3B-FP8",
    "Qwen3-32B": "Qwen--Qwen3-32B",
    "Qwen3.5-397B": "Qwen--Qwen3.5-397B-A17B",
    "V4-Flash": "deepseek-ai--DeepSeek-V4-Flash",
    "V4-Pro": "deepseek-ai--DeepSeek-V4-Pro",
    "gpt-oss-120b": "openai--gpt-oss-120b",
    "gpt-oss-20b": "openai--gpt-oss-20b",
}


def published_config(file: str) -> dict[str, Any]:
    path = CONFIGS / f"{file}.json"
    if not path.exists():
        pytest.skip(f"no published configs beside this checkout ({path.name})")
    config = json.loads(path.read_text("utf-8"))
    assert isinstance(config, dict)
    return config


def published(name: str) -> Shape:
    """The shape of a model by its name in the tables."""
    match name:
        case "Next-80B BF16":
            return shape_of(QWEN3_NEXT)
        case "Next-80B FP8":
            return shape_of(QWEN3_NEXT | {"quantization_config": FP8_BLOCK})
        case "GLM-4.5/4.6 BF16":
            return shape_of(GLM_45)
        case "GLM-4.5/4.6 FP8":
            return shape_of(GLM_45 | {"quantization_config": FP8_PER_CHANNEL})
        case "Coder-480B FP8":
            return with_fp8_block(published("Coder-480B BF16"))
        case "Maverick FP8":
            config = published_config(FILES["Maverick BF16"])
            return shape_of(config | {"quantization_config": LLAMA4_FP8})
        case _:
            return shape_of(published_config(FILES[name]))


def layout_of(text: str) -> Layout:
    """A layout from its own text, such as ``TP2·DP4·EP``."""
    size = {name.lower(): int(number) for name, number in re.findall(r"([A-Z]+)(\d+)", text)}
    layout = Layout(**size, expert_parallel=text.endswith("EP"))
    assert str(layout) == text
    return layout
