"""Shapes of published models: one for each kind of attention and weights.

They are the catalogue's, but for Qwen3-Next, which it does not have.
"""

from __future__ import annotations

from models.catalogue import load_catalogue
from models.hf.config import shape_of
from tests.models.published import FP8_BLOCK
from tests.models.published import QWEN3_NEXT as NEXT_CONFIG

_CATALOGUE = load_catalogue()

QWEN3_235B = _CATALOGUE.get("qwen3-235b-a22b-fp8").shape()
QWEN3_30B = _CATALOGUE.get("qwen3-30b-a3b-fp8").shape()
QWEN3_32B = _CATALOGUE.get("qwen3-32b").shape()
MINIMAX = _CATALOGUE.get("minimax-m2.5").shape()
MAVERICK = _CATALOGUE.get("llama-4-maverick").shape()
MIXTRAL = _CATALOGUE.get("mixtral-8x7b").shape()
GPT_OSS = _CATALOGUE.get("gpt-oss-120b").shape()
DEEPSEEK_V32 = _CATALOGUE.get("deepseek-v3.2").shape()
DEEPSEEK_V3 = _CATALOGUE.get("deepseek-v3").shape()
GLM_5 = _CATALOGUE.get("glm-5-fp8").shape()
KIMI_K25 = _CATALOGUE.get("kimi-k2.5").shape()
V4_FLASH = _CATALOGUE.get("deepseek-v4-flash").shape()
QWEN3_NEXT = shape_of(NEXT_CONFIG | {"quantization_config": FP8_BLOCK})

ALL = {
    "qwen3-235b": QWEN3_235B,
    "qwen3-30b": QWEN3_30B,
    "qwen3-32b": QWEN3_32B,
    "minimax": MINIMAX,
    "maverick": MAVERICK,
    "mixtral": MIXTRAL,
    "gpt-oss": GPT_OSS,
    "deepseek-v3.2": DEEPSEEK_V32,
    "deepseek-v3": DEEPSEEK_V3,
    "glm-5": GLM_5,
    "kimi-k2.5": KIMI_K25,
    "v4-flash": V4_FLASH,
    "qwen3-next": QWEN3_NEXT,
}
