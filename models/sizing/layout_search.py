"""Every way to spread one replica over a number of cards, legal or with the reason why not.

The planner asks for all of them, so that an answer "no" can say what stands in the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from models.layout import CARDS_PER_NODE, Layout
from models.shape import CompressedLatent, Gqa, Mla, Shape
from models.sizing.quantized_blocks import refined_block
from models.sizing.vllm_layout_rules import padded_heads, refusal

CARDS_MAX = 64
NODES_MAX = 8
NEEDS_FP8_CACHE = "DCP with sparse attention needs the FP8 KV cache"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A layout, why the engine refuses it (None: it does not), and what it costs if it runs."""

    layout: Layout
    why_not: str | None = None
    notes: tuple[str, ...] = ()


def layouts(
    shape: Shape, cards: int, *, cards_per_node: int = CARDS_PER_NODE
) -> tuple[Candidate, ...]:
    """All layouts that use exactly ``cards`` cards as one replica."""
    if cards_per_node < 1:
        raise ValueError(f"a node holds at least 1 card, not {cards_per_node}")
    cards_max = min(CARDS_MAX, NODES_MAX * cards_per_node)
    if not 1 <= cards <= cards_max:
        raise ValueError(
            f"a replica takes 1 to {cards_max} cards on nodes of {cards_per_node}, not {cards}"
        )
    return tuple(candidate(shape, layout) for layout in _all(cards, cards_per_node))


def candidate(shape: Shape, layout: Layout) -> Candidate:
    """``layout`` with the engine's verdict on it."""
    why_not = refusal(shape, layout)
    return Candidate(layout, why_not, () if why_not else notes(shape, layout))


def notes(shape: Shape, layout: Layout) -> tuple[str, ...]:
    """What a legal layout pays: a sentence each."""
    return tuple(found for note in _NOTES if (found := note(shape, layout)))


def _all(cards: int, cards_per_node: int) -> Iterator[Layout]:
    """DCP takes no cards of its own: it divides the cards of TP."""
    for pp in _divisors(cards):
        for tp in _divisors(cards // pp):
            for dcp in _divisors(tp):
                for expert_parallel in (False, True):
                    yield Layout(
                        tp=tp,
                        dp=cards // pp // tp,
                        pp=pp,
                        dcp=dcp,
                        expert_parallel=expert_parallel,
                        cards_per_node=cards_per_node,
                    )


def _divisors(number: int) -> list[int]:
    return [each for each in range(1, number + 1) if number % each == 0]


def _triton_only(shape: Shape, layout: Layout) -> str | None:
    block = refined_block(shape, layout)
    if block is None:
        return None
    return f"expert slices cut the FP8 blocks: scales are refined to {block}, Triton kernels only"


def _uneven_experts(shape: Shape, layout: Layout) -> str | None:
    moe, cards = shape.moe, layout.ep
    if moe is None or moe.experts % cards == 0:
        return None
    most = -(-moe.experts // cards)
    return f"{moe.experts % cards} of {cards} cards hold {most} experts, the others {most - 1}"


def _copied_kv(shape: Shape, layout: Layout) -> str | None:
    """GQA copies heads beyond their number, a latent is one for all; DCP splits the copies."""
    copies = max(
        (
            layout.tp // min(layout.tp, part.kv_heads) if isinstance(part, Gqa) else layout.tp
            for part in shape.attention
            if isinstance(part, Gqa | Mla | CompressedLatent)
        ),
        default=1,
    )
    left = copies // layout.dcp
    return f"TP {layout.tp} keeps {left} copies of the KV cache" if left > 1 else None


def _padded_heads(shape: Shape, layout: Layout) -> str | None:
    for part in shape.attention:
        if isinstance(part, Mla) and part.indexer is not None:
            heads = part.heads // layout.tp
            if heads < padded_heads(heads):
                return f"the FP8 sparse kernel pads {heads} heads per card to {padded_heads(heads)}"
    return None


def needs_fp8_cache(shape: Shape, layout: Layout) -> bool:
    """Sparse attention under decode context parallel has a kernel for FP8 only."""
    sparse = any(isinstance(part, Mla) and part.indexer for part in shape.attention)
    return sparse and layout.dcp > 1


def _sparse_context(shape: Shape, layout: Layout) -> str | None:
    return NEEDS_FP8_CACHE if needs_fp8_cache(shape, layout) else None


def _tensor_over_nodes(shape: Shape, layout: Layout) -> str | None:
    if layout.tp <= layout.cards_per_node:
        return None
    nodes = layout.tp // layout.cards_per_node
    return f"TP {layout.tp} spans {nodes} nodes: every layer waits for the network"


def _experts_over_nodes(shape: Shape, layout: Layout) -> str | None:
    if shape.moe is None or layout.dp == 1 or layout.experts_over <= layout.cards_per_node:
        return None
    return f"tokens reach the experts of {layout.experts_over} cards over the network"


def _dense_ranks(shape: Shape, layout: Layout) -> str | None:
    if shape.moe is not None or layout.dp == 1:
        return None
    return f"DP ranks of a dense model share nothing: {layout.dp} replicas do the same"


_NOTES: tuple[Callable[[Shape, Layout], str | None], ...] = (
    _triton_only,
    _uneven_experts,
    _copied_kv,
    _padded_heads,
    _sparse_context,
    _tensor_over_nodes,
    _experts_over_nodes,
    _dense_ranks,
)
