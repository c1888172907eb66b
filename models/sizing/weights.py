"""Bytes of weights that a layout puts on each card.

Data-parallel ranks each hold all but the routed experts; those are spread over the ranks too,
whether whole (expert parallel) or in slices. Pipeline stages are taken as equal.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.layout import Layout
from models.shape import Shape
from models.sizing.tensors import Share, Tensor, tensors


@dataclass(frozen=True, slots=True)
class Weights:
    """The checkpoint by what a layout does with it."""

    routed_bytes: int
    sharded_bytes: int
    embedding_bytes: int
    replicated_bytes: int

    @property
    def total(self) -> int:
        return self.routed_bytes + self.sharded_bytes + self.embedding_bytes + self.replicated_bytes


def weights(shape: Shape) -> Weights:
    def of(share: Share) -> int:
        return sum(part.weight_bytes for part in tensors(shape) if part.share is share)

    return Weights(
        routed_bytes=of(Share.ROUTED),
        sharded_bytes=of(Share.SHARDED),
        embedding_bytes=of(Share.EMBEDDING),
        replicated_bytes=of(Share.REPLICATED),
    )


def weights_per_card(shape: Shape, layout: Layout) -> int:
    """The weights of the card that holds most."""
    stages = sum(_on_one_card(part, layout) for part in tensors(shape))
    return -(-stages // layout.pp)


def _on_one_card(tensor: Tensor, layout: Layout) -> int:
    match tensor.share:
        case Share.REPLICATED:
            return tensor.weight_bytes
        case Share.ROUTED:
            ways = layout.experts_over
            # More cards than experts is no layout that runs: there, slices are as good a figure.
            whole = layout.expert_parallel and ways <= (tensor.units or 0)
        case Share.SHARDED | Share.EMBEDDING:
            ways, whole = layout.tp, True
    if tensor.units is None or not whole:
        return -(-tensor.weight_bytes // ways)
    held = -(-tensor.units // ways)
    return -(-tensor.weight_bytes * held // tensor.units)
