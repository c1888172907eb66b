"""How one replica is spread over cards: tensor, expert, data, pipeline and context parallel sizes.

Which layouts are legal for a model is in models/sizing/layout_search.py; this is only the noun.
"""

from __future__ import annotations

from dataclasses import dataclass

CARDS_PER_NODE = 8


@dataclass(frozen=True, slots=True, order=True)
class Layout:
    """``tp`` cards share each layer, ``dp`` ranks each hold their own requests and KV blocks.

    ``expert_parallel``: whole experts per card instead of slices of each. Either way the routed
    experts are spread over all ``tp * dp`` cards of a pipeline stage. ``dcp`` shards the KV
    blocks of one sequence over the tensor-parallel ranks (decode context parallel).
    """

    tp: int
    dp: int = 1
    pp: int = 1
    dcp: int = 1
    expert_parallel: bool = False
    cards_per_node: int = CARDS_PER_NODE

    @property
    def cards(self) -> int:
        return self.tp * self.dp * self.pp

    @property
    def nodes(self) -> int:
        return -(-self.cards // self.cards_per_node)

    @property
    def experts_over(self) -> int:
        """Cards that the routed experts of one layer are spread over."""
        return self.tp * self.dp

    @property
    def ep(self) -> int:
        """The expert-parallel size: 1 where experts are sliced instead."""
        return self.experts_over if self.expert_parallel else 1

    def __str__(self) -> str:
        sizes = {"TP": self.tp, "DP": self.dp, "PP": self.pp, "DCP": self.dcp}
        named = [f"{name}{size}" for name, size in sizes.items() if size > 1 or name == "TP"]
        return "·".join([*named, *(["EP"] if self.expert_parallel else [])])
