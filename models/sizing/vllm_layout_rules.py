"""What vLLM 0.32 refuses about a layout.

A rule looks at one shape and one layout. A refusal is one sentence with the numbers in it; None
means that the rule has nothing against the layout. Each docstring names the engine's own check;
where the engine only warns or breaks late, it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from models.layout import Layout
from models.shape import Attention, CompressedLatent, DeltaNet, Gqa, Mla, Shape
from models.sizing.quantized_blocks import (
    expert_slices,
    feed_forward_widths,
    is_compressed,
    whole_blocks_of_experts,
    whole_blocks_of_linears,
)
from models.sizing.tensors import vocabulary_rows

Rule = Callable[[Shape, Layout], str | None]

SPARSE_HEADS_MAX = 31  # of one card, where decode context parallel meets sparse attention
SPARSE_HEADS_PADDED = (64, 128)  # the head counts that the sparse kernel knows


def refusal(shape: Shape, layout: Layout) -> str | None:
    """Why the engine would not serve ``shape`` in ``layout``; None: it would."""
    return next((found for rule in RULES if (found := rule(shape, layout))), None)


def whole_heads(shape: Shape, layout: Layout) -> str | None:
    """The rule of ``ModelConfig.verify_with_parallel_config``; for delta nets, ``divide`` in the
    layer."""
    for part in shape.attention:
        for name, heads in _heads(part):
            if heads % layout.tp:
                return f"{heads} {name} do not divide by TP {layout.tp}"
    return None


def whole_kv_heads(shape: Shape, layout: Layout) -> str | None:
    """An assert in every model file: KV heads are split evenly, or each is copied evenly."""
    for part in shape.attention:
        if isinstance(part, Gqa) and max(part.kv_heads, layout.tp) % min(part.kv_heads, layout.tp):
            return (
                f"{part.kv_heads} KV heads can be neither split nor copied evenly by TP {layout.tp}"
            )
    return None


def whole_vocabulary(shape: Shape, layout: Layout) -> str | None:
    """The rule of ``VocabParallelEmbedding.__init__``, which pads the vocabulary, then divides
    it."""
    rows = vocabulary_rows(shape)
    if rows % layout.tp:
        return f"a vocabulary of {rows} rows (padded) does not divide by TP {layout.tp}"
    return None


def whole_feed_forward(shape: Shape, layout: Layout) -> str | None:
    """``divide`` in the parallel linears; ``FusedMoEConfig.__post_init__`` for experts."""
    for name, width in feed_forward_widths(shape, layout):
        if width % layout.tp:
            return f"a {name} of {width} does not divide by TP {layout.tp}"
    moe, slices = shape.moe, expert_slices(layout)
    if moe is not None and moe.inter % slices:
        return f"experts of width {moe.inter} do not divide into {slices} slices (TP x DP)"
    return None


def experts_to_spread(shape: Shape, layout: Layout) -> str | None:
    """The rule of ``ModelConfig._verify_with_expert_parallelism``; ``FusedMoEParallelConfig.make``,
    which ignores the flag for one card. An uneven spread is legal (``determine_expert_map``),
    except in DeepSeek-V4, whose ``_init_fused_moe_experts`` counts experts per card by floor
    division."""
    moe, cards = shape.moe, layout.experts_over
    if not layout.expert_parallel:
        return None
    if moe is None:
        return "expert parallel needs experts, and this model is dense"
    if cards == 1:
        return "expert parallel needs TP x DP of at least 2, and it is 1"
    if moe.experts < cards:
        return f"{moe.experts} experts do not give each of {cards} cards (TP x DP) one"
    if moe.experts % cards and is_compressed(shape):
        return (
            f"{moe.experts} experts do not divide by {cards} cards (TP x DP), as DeepSeek-V4 needs"
        )
    return None


def whole_output_groups(shape: Shape, layout: Layout) -> str | None:
    """DeepSeek-V4's attention floors ``o_groups // TP`` and would run with none left."""
    for part in shape.attention:
        if isinstance(part, CompressedLatent) and part.output_groups % layout.tp:
            return f"{part.output_groups} output groups do not divide by TP {layout.tp}"
    return None


def layers_for_stages(shape: Shape, layout: Layout) -> str | None:
    """``get_pp_indices`` would give a stage no layer."""
    if shape.layers < layout.pp:
        return f"{shape.layers} layers do not give each of PP {layout.pp} stages one"
    return None


def context_split(shape: Shape, layout: Layout) -> str | None:
    """``ParallelConfig`` (divides TP), ``SlidingWindowSpec.max_memory_usage_bytes`` (no windows),
    and ``ModelConfig.verify_with_parallel_config`` (which copies of KV heads there are)."""
    dcp, tp = layout.dcp, layout.tp
    if dcp == 1:
        return None
    if tp % dcp:
        return f"TP {tp} does not divide by DCP {dcp}"
    if any(_is_windowed(part) for part in shape.attention):
        return f"DCP {dcp} cannot split the KV cache of sliding-window or chunked layers"
    for part in shape.attention:
        if not isinstance(part, Gqa):
            continue
        if tp <= part.kv_heads:
            return f"DCP needs TP above the {part.kv_heads} KV heads, and TP is {tp}"
        copies, sharers = tp // part.kv_heads, part.heads // part.kv_heads
        if dcp > copies:
            return f"DCP {dcp} exceeds the {copies} copies of {part.kv_heads} KV heads at TP {tp}"
        if sharers % dcp:
            return f"{sharers} heads per KV head do not divide by DCP {dcp}"
    return None


def context_split_when_sparse(shape: Shape, layout: Layout) -> str | None:
    """``FlashMLASparseMetadataBuilder.__init__``, the one sparse kernel for Hopper that splits
    a context: few heads, and the heads gathered for it must pad to what one card's pad to."""
    for part in shape.attention:
        if layout.dcp == 1 or not isinstance(part, Mla) or part.indexer is None:
            continue
        heads = part.heads // layout.tp
        if heads > SPARSE_HEADS_MAX:
            return (
                f"DCP with sparse attention takes at most {SPARSE_HEADS_MAX} heads per card, "
                f"and TP {layout.tp} leaves {heads}"
            )
        if padded_heads(heads) != padded_heads(heads * layout.dcp):
            return (
                f"DCP {layout.dcp} gathers {heads * layout.dcp} heads, more than the "
                f"{padded_heads(heads)} that {heads} are padded to"
            )
    return None


def inside_nodes(shape: Shape, layout: Layout) -> str | None:
    """Several nodes are taken whole, so that no other replica shares a network card. DP ranks:
    ``create_dp_placement_groups`` (``strict`` and ``span``). A TP group that straddles gets only
    a warning there, and is refused here: half a group on each node has no fast path at all."""
    node, tp, rank = layout.cards_per_node, layout.tp, layout.tp * layout.pp
    if layout.nodes == 1:
        return None
    if layout.cards % node:
        return f"{layout.cards} cards are more than a node of {node} and do not fill {layout.nodes}"
    if layout.dp > 1 and max(rank, node) % min(rank, node):
        return f"a DP rank of {rank} cards is neither a part nor a multiple of a node of {node}"
    if max(tp, node) % min(tp, node):
        return f"TP {tp} is neither a part nor a multiple of a node of {node} cards"
    return None


RULES: tuple[Rule, ...] = (
    experts_to_spread,
    whole_heads,
    whole_kv_heads,
    whole_vocabulary,
    whole_output_groups,
    whole_feed_forward,
    whole_blocks_of_experts,
    whole_blocks_of_linears,
    layers_for_stages,
    context_split,
    context_split_when_sparse,
    inside_nodes,
)


def padded_heads(heads: int) -> int:
    """Heads that the sparse kernel computes for ``heads`` of one card."""
    few, many = SPARSE_HEADS_PADDED
    return few if heads <= few else many


def _heads(part: Attention) -> Iterator[tuple[str, int]]:
    if isinstance(part, DeltaNet):
        yield "key heads", part.key_heads
        yield "value heads", part.value_heads
    else:
        yield "heads", part.heads


def _is_windowed(part: Attention) -> bool:
    if isinstance(part, Gqa):
        return part.window_tokens is not None or part.chunk_tokens is not None
    return isinstance(part, CompressedLatent)
