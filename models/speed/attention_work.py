"""What attention reads and computes on one card: with a window, a chunk, a latent, a state.

``context`` is the number of tokens before the one at hand. Decoding with latents multiplies with
them as they are stored, prefill unpacks them into heads first; sparse attention looks at the
``top_k`` tokens that its indexer picks after a look at all of them.
"""

from __future__ import annotations

from models.layout import Layout
from models.shape import Attention, CompressedLatent, DeltaNet, Gqa, Indexer, Mla, Shape
from models.sizing.kv_cache import LATENT_BYTES, VALUE_BYTES, KvDtype, delta_net_state_bytes

INDEX_BYTES_PER_VALUE = 132 / 128  # FP8 with a scale per 128 values


def kv_bytes_read(shape: Shape, layout: Layout, kv_dtype: KvDtype, context: float) -> float:
    """The bytes that one card reads for one new token of one request."""
    value_bytes = VALUE_BYTES[kv_dtype]
    total = 0.0
    for part in shape.attention:
        match part:
            case Gqa():
                heads = max(1.0, part.kv_heads / layout.tp)
                per_token = 2 * heads * part.head_dim * value_bytes
                total += part.layers * _seen(part, context) * per_token / layout.dcp
            case Mla():
                per_token = (part.kv_rank + part.rope_dim) * value_bytes
                indexed = _index_bytes(part.indexer, context)
                seen = _seen(part, context) * per_token + indexed
                total += part.layers * seen / layout.dcp
            case CompressedLatent():
                entries = context / part.ratio if part.ratio else 0.0
                seen = _seen(part, context) * LATENT_BYTES
                total += part.layers * (seen + _index_bytes(part.indexer, entries))
            case DeltaNet():  # read and written
                total += 2 * delta_net_state_bytes(part) / layout.tp
    return total


def token_operations(shape: Shape, layout: Layout, context: float) -> float:
    """The operations of one card for one new token of one request."""
    return sum(
        part.layers
        * (_decode_pair(part) * _seen(part, context) / layout.tp + _index_pair(part) * context)
        for part in shape.attention
    )


def prompt_operations(shape: Shape, layout: Layout, tokens: float) -> float:
    """The operations of one card for a whole prompt: each token looks at those before it."""
    total = 0.0
    for part in shape.attention:
        pairs = _pairs(_limit(part, tokens), tokens)
        indexed = _index_pair(part) * tokens * tokens / 2
        total += part.layers * (_prefill_pair(part) * pairs / layout.tp + indexed)
    return total


def _seen(part: Attention, context: float) -> float:
    """Tokens that one new token looks at."""
    if isinstance(part, CompressedLatent):
        return min(context, part.window_tokens) + _compressed_seen(part, context)
    return min(context, _limit(part, context))


def _limit(part: Attention, tokens: float) -> float:
    match part:
        case Gqa(window_tokens=int() as window):
            return window
        case Gqa(chunk_tokens=int() as chunk):
            return chunk
        case Mla(indexer=Indexer() as indexer):
            return indexer.top_k
        case CompressedLatent():
            return part.window_tokens + _compressed_seen(part, tokens)
        case _:
            return tokens


def _compressed_seen(part: CompressedLatent, tokens: float) -> float:
    """Entries that one new token looks at, beyond the window."""
    if part.ratio == 0:
        return 0.0
    entries = tokens / part.ratio
    return min(entries, part.indexer.top_k) if part.indexer else entries


def _pairs(limit: float, tokens: float) -> float:
    """Of a token and one that it looks at, when it looks at ``limit`` before it at most."""
    if tokens <= limit:
        return tokens * tokens / 2
    return limit * limit / 2 + (tokens - limit) * limit


def _decode_pair(part: Attention) -> float:
    """Operations for one token looking at one other, over all heads of a layer."""
    match part:
        case Gqa() | CompressedLatent():
            return 4 * part.heads * part.head_dim
        case Mla():
            return 2 * part.heads * (2 * part.kv_rank + part.rope_dim)
        case DeltaNet():
            return 0.0


def _prefill_pair(part: Attention) -> float:
    if isinstance(part, Mla) and part.indexer is None:
        return 2 * part.heads * (part.nope_dim + part.rope_dim + part.value_dim)
    return _decode_pair(part)


def _index_pair(part: Attention) -> float:
    """Every card of a rank runs the whole indexer."""
    indexer = part.indexer if isinstance(part, Mla | CompressedLatent) else None
    if indexer is None:
        return 0.0
    per_entry = 2 * indexer.heads * indexer.head_dim
    return (
        per_entry / part.ratio if isinstance(part, CompressedLatent) and part.ratio else per_entry
    )


def _index_bytes(indexer: Indexer | None, entries: float) -> float:
    return 0.0 if indexer is None else entries * indexer.head_dim * INDEX_BYTES_PER_VALUE
