"""The prefix cache of one modelled replica: a bounded set of blocks, least recently used out first.

A block's hash stands for the whole prefix that it ends, so only leading blocks are hits. Blocks of
running requests may be evicted too: a real engine would keep them, and evict others instead.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence


class PrefixCache:
    __slots__ = ("_blocks", "_blocks_max", "evictions")

    def __init__(self, blocks_max: int) -> None:
        self._blocks: OrderedDict[int, None] = OrderedDict()
        self._blocks_max = blocks_max
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._blocks)

    def hits(self, blocks: Sequence[int]) -> int:
        """How many leading blocks are held; they count as used."""
        held = self._blocks
        count = 0
        for block in blocks:
            if block not in held:
                break
            count += 1
        self._touch(blocks[:count])
        return count

    def insert(self, blocks: Sequence[int]) -> None:
        self._touch(blocks)
        while len(self._blocks) > self._blocks_max:
            self._blocks.popitem(last=False)
            self.evictions += 1

    def _touch(self, blocks: Sequence[int]) -> None:
        """From the last to the first, so that prefixes are evicted from their ends."""
        for block in reversed(blocks):
            self._blocks[block] = None
            self._blocks.move_to_end(block)
