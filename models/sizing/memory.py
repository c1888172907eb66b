"""Whether a model fits a card under a layout, and how many tokens its KV cache then holds.

What an engine takes beside weights and cache (contexts, communication buffers, graphs, the
activations of one batch) is no documented figure. Three public start-up logs with batches of
8,192 tokens leave about 8 GiB for it, so every capacity comes with a band.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from models.cards import Card
from models.layout import Layout
from models.shape import Shape
from models.sizing.kv_cache import (
    KvDtype,
    default_kv_dtype,
    kv_bytes_per_request_per_card,
    kv_bytes_per_token_per_card,
)
from models.sizing.weights import weights_per_card

GIB = 1 << 30
MEMORY_UTILIZATION = 0.92  # the engine's default
BATCHED_TOKENS = 8192
RUNNING_MAX = 1024  # the engine's default on these cards, of one data-parallel rank

# The logs give 8.1, 8.1 and 7.5 to 8.2 GiB at 8,192 tokens. The share that does not grow with the
# batch is AIConfigurator's: 3.5 GiB, and 0.4 GiB of communication buffers.
OVERHEAD_BYTES = 8 * GIB
FIXED_OVERHEAD_BYTES = int(3.9 * GIB)
OVERHEAD_BAND_BYTES = GIB  # wider than the logs spread, since they are three

KV_BYTES_MIN = GIB  # with less, rounding and fragments decide whether an engine starts


class UnknownMemory(ValueError):
    """A card whose memory is the host's."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Bytes are of one card; tokens are of the whole layout.

    Each data-parallel rank has its own cache: one request can use ``kv_tokens`` divided by the
    ranks. Tokens count what requests hold beyond windows and states (``requests_held`` counts
    those too). ``kv_tokens_low`` and ``kv_tokens_high`` come from the band of the overhead.
    """

    why_not: str | None
    usable_bytes: int
    weights_bytes: int
    overhead_bytes: int
    kv_bytes: int
    kv_tokens: int
    kv_tokens_low: int
    kv_tokens_high: int
    kv_dtype: KvDtype
    batched_tokens_max: int
    running_max: int

    @property
    def fits(self) -> bool:
        return self.why_not is None


def overhead_bytes(batched_tokens_max: int) -> int:
    """What the engine takes on a card beside weights and KV cache."""
    growing = OVERHEAD_BYTES - FIXED_OVERHEAD_BYTES
    return FIXED_OVERHEAD_BYTES + growing * batched_tokens_max // BATCHED_TOKENS


def fit(
    shape: Shape,
    layout: Layout,
    card: Card,
    *,
    memory_utilization: float = MEMORY_UTILIZATION,
    kv_dtype: KvDtype | None = None,
    batched_tokens_max: int = BATCHED_TOKENS,
    running_max: int = RUNNING_MAX,
) -> Fit:
    """Raises UnknownMemory for a card whose memory depends on its host."""
    if card.memory_gib is None:
        raise UnknownMemory(f"the memory of card {card.card_id} depends on its host")
    kv_dtype = default_kv_dtype(shape) if kv_dtype is None else kv_dtype
    usable = math.ceil(card.memory_gib * GIB * memory_utilization)
    weights, overhead = weights_per_card(shape, layout), overhead_bytes(batched_tokens_max)
    left = usable - weights - overhead
    per_token = _bytes_per_token(shape, layout, kv_dtype)

    def tokens(kv_bytes: int) -> int:
        return int(max(0, kv_bytes) / per_token) * layout.dp

    return Fit(
        why_not=_why_not(usable, weights, overhead),
        usable_bytes=usable,
        weights_bytes=weights,
        overhead_bytes=overhead,
        kv_bytes=max(0, left),
        kv_tokens=tokens(left),
        kv_tokens_low=tokens(left - OVERHEAD_BAND_BYTES),
        kv_tokens_high=tokens(left + OVERHEAD_BAND_BYTES),
        kv_dtype=kv_dtype,
        batched_tokens_max=batched_tokens_max,
        running_max=running_max,
    )


def requests_held(shape: Shape, layout: Layout, memory: Fit, request_tokens: int) -> int:
    """Requests of that length that the whole layout runs at once, windows and states included.

    One of them is being admitted, so it has room for the windows of a full batch.
    """

    def bounded(batched_tokens_max: int) -> int:
        return kv_bytes_per_request_per_card(
            shape, layout, memory.kv_dtype, batched_tokens_max, request_tokens=request_tokens
        )

    growing = request_tokens * kv_bytes_per_token_per_card(shape, layout, memory.kv_dtype)
    each, admitted = growing + bounded(0), growing + bounded(memory.batched_tokens_max)
    if memory.kv_bytes < admitted:
        return 0
    per_rank = 1 + (memory.kv_bytes - admitted) // max(1, each)
    return min(per_rank, memory.running_max) * layout.dp


def _bytes_per_token(shape: Shape, layout: Layout, kv_dtype: KvDtype) -> float:
    """The marginal ones; where every layer has a window or a state, those of the longest request,
    spread over its tokens."""
    marginal = kv_bytes_per_token_per_card(shape, layout, kv_dtype)
    whole = kv_bytes_per_request_per_card(shape, layout, kv_dtype, 0)
    return marginal or whole / shape.context_tokens_max


def _why_not(usable: int, weights: int, overhead: int) -> str | None:
    left = usable - weights - overhead
    if left >= KV_BYTES_MIN:
        return None
    if weights > usable:
        return f"weights take {_gib(weights)} of the {_gib(usable)} GiB usable per card"
    return (
        f"weights ({_gib(weights)} GiB) and the engine itself ({_gib(overhead)} GiB) leave "
        f"{_gib(left)} of the {_gib(usable)} GiB usable per card for the KV cache, which needs "
        f"{_gib(KV_BYTES_MIN)} GiB or more"
    )


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}"
