"""Which replica holds which prompt blocks in its prefix cache, as far as this scheduler sent them.

A block's hash covers all before it: whoever holds a block holds the whole prefix. A prompt's
blocks are touched from the last to the first, so least recently used blocks are the ends of
prefixes, and a replica always holds its prefixes from the start. Memory is bounded per replica,
in total, and by holders per block: of a popular prompt only the latest holders are listed, but
each replica is still known to hold it when asked about by name. Whether engines keep what they
were sent, ``trust`` tells.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from scheduler.learned.prefix_trust import PrefixTrust

REQUEST_BLOCKS_MAX = 256  # of one prompt; what follows them is not looked at
BLOCK_HOLDERS_MAX = 16
BLOCKS_MAX = 2**20  # over all replicas, which share them evenly; about 280 bytes each


class PrefixLimit(StrEnum):
    """What bit, and how often."""

    REQUEST_BLOCKS = "prefix_request_blocks"  # blocks of sent prompts that were not looked at
    BLOCK_HOLDERS = "prefix_block_holders"  # holders no longer listed
    REPLICA_BLOCKS = "prefix_replica_blocks"  # blocks evicted
    REPORT_ABSURD = "prefix_report_absurd"  # a report on the prefix cache that cannot be true


@dataclass(slots=True, eq=False)
class _Cache:
    """One replica's prefix cache."""

    blocks_max: int  # its own bound; the share of the total may be lower
    blocks: OrderedDict[int, None] = field(default_factory=OrderedDict)  # latest used last
    trust: PrefixTrust = field(default_factory=PrefixTrust)


class PrefixIndex:
    def __init__(
        self, *, holders_max: int = BLOCK_HOLDERS_MAX, blocks_max: int = BLOCKS_MAX
    ) -> None:
        self.limits: Counter[PrefixLimit] = Counter()
        self._holders_max = holders_max
        self._blocks_max = blocks_max
        self._caches: dict[str, _Cache] = {}
        # Latest last. Blocks of one prefix mostly have the same holders, and share one tuple.
        self._holders: dict[int, tuple[str, ...]] = {}

    def __len__(self) -> int:
        """Blocks held, counted once for each replica that holds them."""
        return sum(len(cache.blocks) for cache in self._caches.values())

    # Membership

    def join(self, replica_id: str, blocks_max: int) -> None:
        """An engine has booted, with an empty cache that has room for so many blocks."""
        self.forget(replica_id)
        self._caches[replica_id] = _Cache(blocks_max)
        for known, cache in self._caches.items():
            self._evict(known, cache)

    def forget(self, replica_id: str) -> None:
        cache = self._caches.pop(replica_id, None)
        if cache is not None:
            for block in cache.blocks:
                self._unlist(replica_id, block)

    # What was sent, and what came of it

    def sent(self, replica_id: str, blocks: Sequence[int], hit_tokens: int) -> None:
        """A replica that joined was sent this prompt, and so will hold its blocks.

        ``hit_tokens`` is what its ``hit_blocks`` stood for until here, not discounted by trust.
        """
        cache = self._caches[replica_id]
        cache.trust.on_sent(hit_tokens)
        if len(blocks) > REQUEST_BLOCKS_MAX:
            self.limits[PrefixLimit.REQUEST_BLOCKS] += len(blocks) - REQUEST_BLOCKS_MAX
            blocks = blocks[:REQUEST_BLOCKS_MAX]
        held, holders = cache.blocks, self._holders
        before: tuple[str, ...] = ()
        after: tuple[str, ...] = (replica_id,)
        for block in reversed(blocks):
            held[block] = None
            held.move_to_end(block)
            known = holders.get(block, ())
            if known != before:
                before, after = known, self._with_latest(known, replica_id)
            holders[block] = after
        self._evict(replica_id, cache)

    def on_report(self, replica_id: str, hit_tokens_total: int) -> None:
        """The engine's count of prompt tokens that its cache served since it started."""
        cache = self._caches.get(replica_id)
        if cache is not None and not cache.trust.on_report(hit_tokens_total):
            self.limits[PrefixLimit.REPORT_ABSURD] += 1

    # Questions

    def hits(self, blocks: Sequence[int]) -> dict[str, int]:
        """How many leading blocks each listed holder has; those with none are left out."""
        depths: dict[str, int] = {}
        seen: tuple[str, ...] = ()
        for depth in range(min(len(blocks), REQUEST_BLOCKS_MAX), 0, -1):
            known = self._holders.get(blocks[depth - 1], ())
            if known != seen:
                seen = known
                for replica_id in known:
                    if replica_id not in depths:
                        depths[replica_id] = depth
        return depths

    def hit_blocks(self, replica_id: str, blocks: Sequence[int]) -> int:
        """How many leading blocks this replica has. Never less than ``hits`` tells of it."""
        cache = self._caches.get(replica_id)
        if cache is None:
            return 0
        low, high = 0, min(len(blocks), REQUEST_BLOCKS_MAX)
        while low < high:
            middle = (low + high) // 2
            if blocks[middle] in cache.blocks:
                low = middle + 1
            else:
                high = middle
        return low

    def trust(self, replica_id: str) -> float:
        """The share of predicted hits that come true, 0 to 1. Of a stranger, nothing."""
        cache = self._caches.get(replica_id)
        return 0.0 if cache is None else cache.trust.factor

    # Bounds

    def _with_latest(self, known: tuple[str, ...], replica_id: str) -> tuple[str, ...]:
        if replica_id in known:
            at = known.index(replica_id)
            return (*known[:at], *known[at + 1 :], replica_id)
        if len(known) >= self._holders_max:
            self.limits[PrefixLimit.BLOCK_HOLDERS] += 1
            known = known[1:]
        return (*known, replica_id)

    def _evict(self, replica_id: str, cache: _Cache) -> None:
        share = self._blocks_max // len(self._caches)
        excess = len(cache.blocks) - min(cache.blocks_max, share)
        if excess <= 0:
            return
        self.limits[PrefixLimit.REPLICA_BLOCKS] += excess
        for _ in range(excess):
            self._unlist(replica_id, cache.blocks.popitem(last=False)[0])

    def _unlist(self, replica_id: str, block: int) -> None:
        known = self._holders.get(block, ())
        if known == (replica_id,):
            del self._holders[block]
        elif replica_id in known:
            self._holders[block] = tuple(holder for holder in known if holder != replica_id)
