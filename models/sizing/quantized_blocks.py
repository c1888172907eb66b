"""Where slicing by layout meets weights that are stored in blocks with a common scale.

The rules are as in models/sizing/vllm_layout_rules.py: one sentence with the numbers, or None.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from models.layout import Layout
from models.shape import CompressedLatent, Dense, Format, Gqa, Mla, Shape

REFINED_BLOCK_MIN = 32  # the smallest block that scales are refined to


def whole_blocks_of_experts(shape: Shape, layout: Layout) -> str | None:
    """``refine_fp8_moe_block_shape`` and, where that gives up, ``validate_fp8_block_shape_moe``;
    ``CompressedTensorsWNA16MoEMethod.create_weights`` for groups of INT4 weights. MXFP4 slices
    are padded instead."""
    moe, slices = shape.moe, expert_slices(layout)
    if moe is None:
        return None
    width, routed = moe.inter // slices, shape.formats.routed
    block = fp8_block(routed)
    if block and width % block and (refined_block(shape, layout) or 0) < REFINED_BLOCK_MIN:
        return (
            f"experts of width {moe.inter} in {slices} slices leave {width}, and FP8 blocks of "
            f"{block} cannot be refined to fit it ({REFINED_BLOCK_MIN} at least)"
        )
    if routed.name.startswith("int4") and routed.scale_params and width % routed.scale_params:
        return (
            f"experts of width {moe.inter} in {slices} slices leave {width}, not whole INT4 groups "
            f"of {routed.scale_params}"
        )
    return None


def whole_blocks_of_linears(shape: Shape, layout: Layout) -> str | None:
    """vLLM's ``validate_fp8_block_shape`` asks: what is split by its input or alone by its output
    must split into whole blocks. Merged projections may be ragged."""
    if layout.tp == 1:
        return None
    for name, width, form in _split_linears(shape, layout):
        block = fp8_block(form)
        if block and width // layout.tp % block:
            return (
                f"{name} of width {width} by TP {layout.tp} leaves {width // layout.tp}, "
                f"not whole FP8 blocks of {block}"
            )
    return None


def refined_block(shape: Shape, layout: Layout) -> int | None:
    """What expert scales are refined to where slices cut the checkpoint's blocks; None where
    the blocks stay whole. Only Triton kernels read refined scales."""
    moe = shape.moe
    block = fp8_block(shape.formats.routed)
    if moe is None or block is None:
        return None
    width = moe.inter // expert_slices(layout)
    return math.gcd(block, width, shape.hidden) if width % block else None


def fp8_block(form: Format) -> int | None:
    """The side of the square blocks that share a scale; None for other formats."""
    prefix = "fp8_block"
    return int(form.name.removeprefix(prefix)) if form.name.startswith(prefix) else None


def expert_slices(layout: Layout) -> int:
    return 1 if layout.expert_parallel else layout.experts_over


def shared_experts_are_whole(layout: Layout) -> bool:
    """vLLM's ``ParallelConfig.use_sequence_parallel_moe`` says it: each card then holds shared
    experts whole."""
    return layout.expert_parallel and layout.tp > 1 and layout.dp > 1


def feed_forward_widths(shape: Shape, layout: Layout) -> Iterator[tuple[str, int]]:
    for part in shape.feed_forward:
        if isinstance(part, Dense):
            yield "dense layer", part.inter
        elif part.shared_inter and not shared_experts_are_whole(layout):
            yield "shared expert", part.shared_inter


def is_compressed(shape: Shape) -> bool:
    return any(isinstance(part, CompressedLatent) for part in shape.attention)


def _split_linears(shape: Shape, layout: Layout) -> Iterator[tuple[str, int, Format]]:
    """Every linear that must split into whole blocks. DeepSeek-V4 pads its feed-forward."""
    attention, dense = shape.formats.attention, shape.formats.dense
    for part in shape.attention:
        if isinstance(part, Gqa):
            yield "the output projection", part.heads * part.head_dim, attention
        elif isinstance(part, Mla):
            yield "the output projection", part.heads * part.value_dim, attention
            yield "the query projection", part.heads * (part.nope_dim + part.rope_dim), attention
            yield "the KV projection", part.heads * (part.nope_dim + part.value_dim), attention
        elif isinstance(part, CompressedLatent):
            yield "the query projection", part.heads * part.head_dim, attention
            yield "the output projection", part.output_groups * part.output_rank, attention
        else:
            yield "the output projection", part.value_heads * part.value_dim, attention
    if not is_compressed(shape):
        for name, width in feed_forward_widths(shape, layout):
            yield f"a {name}", width, dense
