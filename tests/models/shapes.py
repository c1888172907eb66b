"""Shapes of published models, written out by hand: one for each kind of attention and weights."""

from __future__ import annotations

from dataclasses import replace

from models.shape import (
    CompressedLatent,
    DeltaNet,
    Dense,
    Format,
    Formats,
    Gqa,
    Indexer,
    Mla,
    Moe,
    Shape,
)

BF16 = Format("bf16", 16)
FP8 = Format("fp8_block128", 8, 128 * 128, 4)
MXFP4 = Format("mxfp4", 4, 32, 1)
INT4 = Format("int4_group32", 4, 32, 2)

QWEN3_235B = Shape(
    architecture="Qwen3MoeForCausalLM",
    hidden=4096,
    vocab=151_936,
    context_tokens_max=40_960,
    attention=(Gqa(94, 64, 4, 128),),
    feed_forward=(Moe(94, 128, 8, 1536),),
    formats=Formats(FP8, FP8, FP8),
)
QWEN3_30B = replace(
    QWEN3_235B,
    hidden=2048,
    attention=(Gqa(48, 32, 4, 128),),
    feed_forward=(Moe(48, 128, 8, 768),),
)
QWEN3_32B = replace(
    QWEN3_235B,
    architecture="Qwen3ForCausalLM",
    hidden=5120,
    attention=(Gqa(64, 64, 8, 128),),
    feed_forward=(Dense(64, 25_600),),
    formats=Formats(BF16, BF16, BF16),
)
MINIMAX = replace(
    QWEN3_235B,
    architecture="MiniMaxM2ForCausalLM",
    hidden=3072,
    vocab=200_064,
    attention=(Gqa(62, 48, 8, 128),),
    feed_forward=(Moe(62, 256, 8, 1536),),
)
MAVERICK = replace(
    QWEN3_32B,
    architecture="Llama4ForConditionalGeneration",
    vocab=202_048,
    attention=(Gqa(12, 40, 8, 128), Gqa(36, 40, 8, 128, chunk_tokens=8192)),
    feed_forward=(Dense(24, 16_384), Moe(24, 128, 1, 8192, 8192)),
)
MIXTRAL = replace(
    QWEN3_32B,
    architecture="MixtralForCausalLM",
    hidden=4096,
    vocab=32_000,
    attention=(Gqa(32, 32, 8, 128),),
    feed_forward=(Moe(32, 8, 2, 14_336),),
)
GPT_OSS = replace(
    QWEN3_32B,
    architecture="GptOssForCausalLM",
    hidden=2880,
    vocab=201_088,
    attention=(
        Gqa(18, 64, 8, 64, window_tokens=128, biased=True),
        Gqa(18, 64, 8, 64, biased=True),
    ),
    feed_forward=(Moe(36, 128, 4, 2880, biased=True),),
    formats=Formats(MXFP4, BF16, BF16),
)
DEEPSEEK_V32 = Shape(
    architecture="DeepseekV32ForCausalLM",
    hidden=7168,
    vocab=129_280,
    context_tokens_max=163_840,
    attention=(Mla(61, 128, 1536, 512, 64, 128, 128, Indexer(64, 128, 2048)),),
    feed_forward=(Dense(3, 18_432), Moe(58, 256, 8, 2048, 2048)),
    formats=Formats(FP8, FP8, FP8),
)
DEEPSEEK_V3 = replace(
    DEEPSEEK_V32,
    architecture="DeepseekV3ForCausalLM",
    attention=(Mla(61, 128, 1536, 512, 64, 128, 128),),
)
GLM_5 = replace(
    DEEPSEEK_V32,
    architecture="GlmMoeDsaForCausalLM",
    hidden=6144,
    vocab=154_880,
    attention=(Mla(78, 64, 2048, 512, 64, 192, 256, Indexer(32, 128, 2048)),),
    feed_forward=(Dense(3, 12_288), Moe(75, 256, 8, 2048, 2048)),
)
KIMI_K25 = replace(
    DEEPSEEK_V3,
    architecture="KimiK25ForConditionalGeneration",
    vocab=163_840,
    attention=(Mla(61, 64, 1536, 512, 64, 128, 128),),
    feed_forward=(Dense(1, 18_432), Moe(60, 384, 8, 2048, 2048)),
    formats=Formats(INT4, BF16, BF16),
)
V4_FLASH = replace(
    DEEPSEEK_V32,
    architecture="DeepseekV4ForCausalLM",
    hidden=4096,
    attention=(
        CompressedLatent(2, 64, 512, 64, 1024, 8, 1024, 0, 128),
        CompressedLatent(21, 64, 512, 64, 1024, 8, 1024, 4, 128, Indexer(64, 128, 512)),
        CompressedLatent(20, 64, 512, 64, 1024, 8, 1024, 128, 128),
    ),
    feed_forward=(Moe(43, 256, 6, 2048, 2048),),
    formats=Formats(MXFP4, FP8, FP8),
)
QWEN3_NEXT = replace(
    QWEN3_235B,
    architecture="Qwen3NextForCausalLM",
    hidden=2048,
    attention=(Gqa(12, 16, 2, 256, gated=True), DeltaNet(36, 16, 32, 128, 128, 4)),
    feed_forward=(Moe(48, 512, 10, 512, 512),),
)

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
