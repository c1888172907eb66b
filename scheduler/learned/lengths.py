"""Output lengths as survival curves, learned per tenant, task, model and prompt size.

A curve says how likely an answer is to go on after so many tokens; what is left of one that is
streaming follows from the same curve. A key seen little leans on the coarser key above it: the
parent's curve counts as a few observations. The coarsest leans on an assumption with a long
tail, so that every curve goes on beyond the longest answer seen. An answer that was cut off
counts as going on until then, and not at all after that (Kaplan and Meier's estimate; with such
a prior it is Susarla and Van Ryzin's), so that a cut never makes answers look shorter.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from math import ceil
from operator import add, mul, neg, sub

OUTPUT_TOKENS_ASSUMED = 256.0  # before anything was seen
LENGTH_HALF_LIFE = 500  # observations of a key after which one counts half
LENGTH_KEYS_MAX = 4_096
PARENT_OBSERVATIONS = 8.0  # what a parent's curve counts for
# A curve is built again when its key grew by one part in so many, or by so many observations,
# or when it was read so often that its parent may have moved.
REBUILD_GROWTH = 8
REBUILD_OBSERVATIONS_MAX = 100
REBUILD_READS_MAX = 256
GROWTH = 2 ** (1 / LENGTH_HALF_LIFE)
WEIGHT_MAX = 2.0**40  # of the newest observation; past it all weights are scaled back

LENGTH_TOKENS_MAX = 1 << 20  # a longer answer counts as one of this length
# A bucket holds the lengths above its own edge up to the next: a length each up to 16 tokens,
# then eight buckets to each doubling.
EDGES = (
    *range(16),
    *(n << octave for octave in range(1, 17) for n in range(8, 16)),
    LENGTH_TOKENS_MAX,
)
BUCKETS = len(EDGES) - 1
WIDTHS = [hi - lo for lo, hi in pairwise(EDGES)]
# The sum over a bucket of what is linear in it, from its value at either edge.
STARTS = [(width + 1) / 2 for width in WIDTHS]
ENDS = [(width - 1) / 2 for width in WIDTHS]
# The part of a bucket that an answer cut off somewhere in it did not get to see.
UNSEEN = [(width - 1) / (2 * width) for width in WIDTHS]

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, repr=False)
class LengthCurve:
    """P(length > n), linear from edge to edge. Shared: whoever asks for a key gets the same."""

    edges: tuple[int, ...]
    survival: Sequence[float]  # at each edge
    rest: Sequence[float]  # its sum over all lengths from this edge on

    @classmethod
    def over_buckets(cls, survival: Sequence[float]) -> LengthCurve:
        areas = map(add, map(mul, survival, STARTS), map(mul, survival[1:], ENDS))
        rest = array("d", accumulate(reversed(list(areas)), initial=0.0))
        rest.reverse()
        return cls(EDGES, array("d", survival), rest)

    @classmethod
    def exactly(cls, tokens: int) -> LengthCurve:
        """The length is known."""
        if tokens <= 1:
            return cls((0, 1), (1.0, 0.0), (1.0, 0.0))
        return cls((0, tokens - 1, tokens), (1.0, 1.0, 0.0), (float(tokens), 1.0, 0.0))

    @classmethod
    def assumed(cls, mean_tokens: float) -> LengthCurve:
        """A geometric law whose rate is itself unknown (a beta-geometric law).

        An answer that has streamed ``n`` tokens is expected to go on for the mean and ``n / 2``.
        """
        b = max(0.01, 2.0 * mean_tokens - 2.0)
        top = b * (b + 1) * (b + 2)
        return cls.over_buckets([top / ((b + n) * (b + n + 1) * (b + n + 2)) for n in EDGES])

    def mean(self, tokens_max: int) -> float:
        """The expected length of an answer that may have ``tokens_max``."""
        return min(max(1.0, self.rest[0] - self._rest_from(tokens_max)), float(tokens_max))

    def quantile(self, q: float, tokens_max: int) -> int:
        """The shortest length that a share ``q`` of the answers does not exceed."""
        alive = 1.0 - q
        after = bisect_left(self.survival, -alive, key=neg)
        if after == 0:
            return 1
        if after == len(self.edges):
            return tokens_max
        start, end = self.survival[after - 1], self.survival[after]
        lo, hi = self.edges[after - 1], self.edges[after]
        tokens = lo + ceil((hi - lo) * (start - alive) / (start - end))
        return max(1, min(tokens, hi, tokens_max))

    def expected_total(self, streamed: int, tokens_max: int) -> float:
        """The expected length of an answer that has streamed so far and goes on.

        One that outlives the curve is expected to go on for as long again.
        """
        if streamed >= tokens_max:
            return float(tokens_max)
        alive = self._survival_at(streamed)
        if alive <= 0.0:
            return float(min(tokens_max, 2 * streamed))
        left = (self._rest_from(streamed) - self._rest_from(tokens_max)) / alive
        return min(streamed + max(1.0, left), float(tokens_max))

    def _survival_at(self, tokens: int) -> float:
        if tokens >= self.edges[-1]:
            return 0.0
        after = bisect_right(self.edges, tokens)
        start, end = self.survival[after - 1], self.survival[after]
        lo, hi = self.edges[after - 1], self.edges[after]
        return start - (start - end) * (tokens - lo) / (hi - lo)

    def _rest_from(self, tokens: int) -> float:
        if tokens >= self.edges[-1]:
            return 0.0
        after = bisect_right(self.edges, tokens)
        start, end = self.survival[after - 1], self.survival[after]
        lo, hi = self.edges[after - 1], self.edges[after]
        n = tokens - lo
        return self.rest[after - 1] - n * (start - (start - end) * (n - 1) / (2 * (hi - lo)))


@dataclass(slots=True, eq=False)
class _Seen:
    """What was seen of one key. Instead of fading the old, each new observation weighs more."""

    ended: array[float] = field(default_factory=lambda: array("d", bytes(8 * BUCKETS)))
    cut: array[float] = field(default_factory=lambda: array("d", bytes(8 * BUCKETS)))
    weight: float = 1.0
    observations: int = 0
    curve: LengthCurve | None = None
    rebuild_at: int = 0  # observations
    reads: int = 0  # of this curve, those by way of finer keys included

    def observe(self, bucket: int, is_complete: bool) -> None:
        (self.ended if is_complete else self.cut)[bucket] += self.weight
        self.observations += 1
        self.weight *= GROWTH
        if self.weight > WEIGHT_MAX:
            self.ended = array("d", [weight / self.weight for weight in self.ended])
            self.cut = array("d", [weight / self.weight for weight in self.cut])
            self.weight = 1.0

    def current(self, reads: int) -> LengthCurve | None:
        """The curve, which is to serve so many reads; None if it is due to be built again."""
        self.reads += reads
        if self.observations >= self.rebuild_at or self.reads > REBUILD_READS_MAX:
            return None
        return self.curve

    def rebuild(self, parent: LengthCurve) -> LengthCurve:
        prior = PARENT_OBSERVATIONS * self.weight
        before = parent.survival
        drops = map(sub, before, before[1:])
        ended = [seen + prior * drop for seen, drop in zip(self.ended, drops, strict=True)]
        leaving = reversed(list(map(add, ended, self.cut)))
        alive = list(accumulate(leaving, initial=prior * before[-1]))
        alive.reverse()
        unseen = map(mul, self.cut, UNSEEN)
        # Not one minus those who ended: a thin tail would be rounded away.
        goes_on = [
            (after + cut - lost) / (there - lost)
            for there, after, cut, lost in zip(alive[:-1], alive[1:], self.cut, unseen, strict=True)
        ]
        self.curve = LengthCurve.over_buckets(list(accumulate(goes_on, mul, initial=1.0)))
        growth = min(self.observations // REBUILD_GROWTH, REBUILD_OBSERVATIONS_MAX)
        self.rebuild_at, self.reads = self.observations + max(1, growth), 0
        return self.curve


@dataclass(slots=True, eq=False)
class LengthBook:
    """One per process. The keys used longest ago give way; reading makes no keys."""

    keys_dropped: int = 0
    _seen: OrderedDict[Key, _Seen] = field(default_factory=OrderedDict)
    _assumed: LengthCurve = field(default=LengthCurve.assumed(OUTPUT_TOKENS_ASSUMED))

    def __len__(self) -> int:
        return len(self._seen)

    def curve(self, tenant: str, task: str, model: str, prompt_tokens: int) -> LengthCurve:
        return self._curve(_keys(tenant, task, model, prompt_tokens), 0, 1)

    def observe(
        self,
        tenant: str,
        task: str,
        model: str,
        prompt_tokens: int,
        output_tokens: int,
        is_complete: bool = True,
    ) -> None:
        """Learns from one answer. ``is_complete``: the model ended it; no limit, client or failure
        did."""
        if output_tokens < 1 and not is_complete:
            return
        bucket = bisect_left(EDGES, max(1, min(output_tokens, LENGTH_TOKENS_MAX))) - 1
        for key in _keys(tenant, task, model, prompt_tokens):
            seen = self._seen.get(key)
            if seen is None:
                seen = self._seen[key] = _Seen()
            self._seen.move_to_end(key)
            seen.observe(bucket, is_complete)
        while len(self._seen) > LENGTH_KEYS_MAX:
            self._seen.popitem(last=False)
            self.keys_dropped += 1

    def _curve(self, keys: tuple[Key, ...], level: int, reads: int) -> LengthCurve:
        for n in range(level, len(keys)):
            seen = self._seen.get(keys[n])
            if seen is not None:
                self._seen.move_to_end(keys[n])
                curve = seen.current(reads)
                return curve or seen.rebuild(self._curve(keys, n + 1, seen.reads))
        return self._assumed


def _keys(tenant: str, task: str, model: str, prompt_tokens: int) -> tuple[Key, ...]:
    """From the finest to the coarsest, which is seen last and so is dropped last."""
    octave = prompt_tokens.bit_length()
    return (tenant, task, model, octave), (tenant, task, model), (model,), ()
