"""Bytes of the KV cache on each card: what every further token takes, and what a request takes.

The first is marginal: layers that see a window, a chunk or a fixed state add nothing to it. What
they hold instead is counted per request. The rules are those of the engine's cache
specifications, block sizes and padding included, so that capacities can be compared exactly.
"""

from __future__ import annotations

from typing import Literal

from models.layout import Layout
from models.shape import Attention, CompressedLatent, DeltaNet, Gqa, Indexer, Mla, Shape

KvDtype = Literal["bf16", "fp8"]
VALUE_BYTES: dict[KvDtype, int] = {"bf16": 2, "fp8": 1}

# One FP32 scale per so many FP8 values, in caches that are packed: the latents of sparse
# attention, whose rotary part stays BF16, and the indexer's keys at any KV type.
SCALED_VALUES = 128
SCALE_BYTES = 4
ROPE_VALUE_BYTES = 2

BLOCK_TOKENS = 16  # of windows and chunks
DELTA_NET_STATES = 2  # with prefix caching: the state in use, and the one kept at a block's end

# DeepSeek-V4 packs a latent into 448 FP8 values, 64 BF16 values and 8 bytes of scales. All its
# caches draw blocks of one size from one pool; pages are padded for the memory engine.
LATENT_BYTES = 584
PAGE_MULTIPLE = 576
COMPRESSED_BLOCK_TOKENS = 256
WINDOW_BLOCK_TOKENS = 64
WINDOW_GROUPS = 2  # blocks that together hold a window of every layer
STATE_BLOCK_TOKENS = {4: 4, 128: 8}  # of the raw tokens that a ratio has yet to compress
STATE_TOKENS = {4: 8, 128: 128}  # ratio 4 overlaps: it looks at two groups


def default_kv_dtype(shape: Shape) -> KvDtype:
    """FP8 for attention that the model's makers run on an FP8 cache (sparse and compressed)."""
    fp8 = any(
        isinstance(part, CompressedLatent) or (isinstance(part, Mla) and part.indexer)
        for part in shape.attention
    )
    return "fp8" if fp8 else "bf16"


def kv_bytes_per_token_per_card(shape: Shape, layout: Layout, kv_dtype: KvDtype) -> int:
    """The bytes of each token beyond all windows, rounded down; pipeline stages are taken as
    equal."""
    per_token = sum(
        _token_bytes(part, layout, kv_dtype) for part in shape.attention if not _is_bounded(part)
    )
    pages = _block_bytes(shape)  # the same model never has both
    return (per_token + pages // COMPRESSED_BLOCK_TOKENS) // (layout.pp * layout.dcp)


def kv_bytes_per_request_per_card(
    shape: Shape,
    layout: Layout,
    kv_dtype: KvDtype,
    batched_tokens_max: int,
    *,
    request_tokens: int | None = None,
) -> int:
    """What a request takes beside its marginal tokens: windows, chunks, states.

    The engine admits a request only if the windows of all tokens that may be in flight have room:
    with ``batched_tokens_max`` 0 this is what a request holds while it decodes. A request of
    ``request_tokens`` fills no window that is longer than itself.
    """
    in_flight = (layout.pp + 1) * batched_tokens_max
    limit = shape.context_tokens_max if request_tokens is None else request_tokens
    total = _compressed_request_bytes(shape, in_flight, limit)
    for part in shape.attention:
        match part:
            case Gqa() if part.window_tokens is not None:
                tokens = min(part.window_tokens - 1 + in_flight, limit)
                blocks = -(-tokens // BLOCK_TOKENS) + 1
                total += blocks * BLOCK_TOKENS * _token_bytes(part, layout, kv_dtype)
            case Gqa() if part.chunk_tokens is not None:
                blocks = -(-min(part.chunk_tokens + in_flight, limit) // BLOCK_TOKENS)
                total += blocks * BLOCK_TOKENS * _token_bytes(part, layout, kv_dtype)
            case DeltaNet():
                total += DELTA_NET_STATES * delta_net_state_bytes(part) // layout.tp
            case _:
                pass
    return -(-total // layout.pp)


def delta_net_state_bytes(net: DeltaNet) -> int:
    """One state of one sequence, over all layers of the part and all cards."""
    keys, values = net.key_heads * net.key_dim, net.value_heads * net.value_dim
    convolution = (2 * keys + values) * (net.conv_width - 1) * 2
    return net.layers * (convolution + net.key_dim * values * net.state_bytes_per_value)


def _is_bounded(part: Attention) -> bool:
    """Holds no more for a longer request."""
    return isinstance(part, Gqa) and (
        part.window_tokens is not None or part.chunk_tokens is not None
    )


def _token_bytes(part: Attention, layout: Layout, kv_dtype: KvDtype) -> int:
    """Of one token in all layers of the part, on one tensor-parallel rank."""
    value_bytes = VALUE_BYTES[kv_dtype]
    match part:
        case Gqa():  # a KV head is copied, never cut
            heads = max(1, part.kv_heads // layout.tp)
            return part.layers * 2 * heads * part.head_dim * value_bytes
        case Mla(indexer=None):  # every rank holds the whole latent
            return part.layers * (part.kv_rank + part.rope_dim) * value_bytes
        case Mla(indexer=Indexer() as indexer):
            if kv_dtype == "fp8":
                latent = _scaled(part.kv_rank) + part.rope_dim * ROPE_VALUE_BYTES
            else:
                latent = (part.kv_rank + part.rope_dim) * value_bytes
            return part.layers * (latent + _scaled(indexer.head_dim))
        case _:
            return 0


def _scaled(values: int) -> int:
    return values + -(-values // SCALED_VALUES) * SCALE_BYTES


def _pages(part: CompressedLatent) -> int:
    """Bytes of one layer's pages in a block of ``COMPRESSED_BLOCK_TOKENS``."""
    if part.ratio == 0:
        return 0
    entries = COMPRESSED_BLOCK_TOKENS // part.ratio
    pages = _padded(entries * LATENT_BYTES)
    return pages + (_padded(entries * _scaled(part.indexer.head_dim)) if part.indexer else 0)


def _padded(size: int) -> int:
    return -(-size // PAGE_MULTIPLE) * PAGE_MULTIPLE


def _block_bytes(shape: Shape) -> int:
    """One block of the compressed caches of all layers."""
    return sum(
        part.layers * _pages(part) for part in shape.attention if isinstance(part, CompressedLatent)
    )


def _compressed_request_bytes(shape: Shape, in_flight: int, limit: int) -> int:
    """Windows and raw tokens, in blocks that are all as large as the largest."""
    parts = [part for part in shape.attention if isinstance(part, CompressedLatent)]
    if not parts:
        return 0

    def blocks(window: int, block_tokens: int) -> int:
        return -(-min(window - 1 + in_flight, limit) // block_tokens) + 1

    held = WINDOW_GROUPS * blocks(parts[0].window_tokens, WINDOW_BLOCK_TOKENS)
    for ratio in sorted({part.ratio for part in parts} - {0}):
        held += blocks(STATE_TOKENS[ratio], STATE_BLOCK_TOKENS[ratio])
    return held * _block_bytes(shape)
