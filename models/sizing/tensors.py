"""The weight matrices of a model: how large each kind is, and how a layout spreads it.

Memory and speed read the same list. Draft layers and vision towers are not in it. Scales of
quantised weights are, and norms to the byte; what an engine pads for its kernels is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from models.hf.quantization_config import BF16, FP32
from models.shape import CompressedLatent, DeltaNet, Dense, Format, Gqa, Indexer, Mla, Moe, Shape

VOCAB_MULTIPLE = 64  # the engine pads a vocabulary to it
SHAPES_CACHED_MAX = 256


class Share(StrEnum):
    """What a layout does with a kind of weight."""

    ROUTED = "routed"  # experts: over all tp * dp cards
    SHARDED = "sharded"  # over the tp cards, once per dp rank
    EMBEDDING = "embedding"  # by rows of the vocabulary, otherwise as SHARDED
    REPLICATED = "replicated"  # whole on every card


@dataclass(frozen=True, slots=True)
class Tensor:
    """One kind of weight matrix, summed over all layers.

    ``active_params`` are those that one token multiplies with. ``units`` is the number of parts
    that are never cut (experts, KV heads); with more cards than parts, cards hold copies.
    """

    part: str
    share: Share
    params: int
    active_params: int
    weight_bytes: int
    units: int | None = None


@lru_cache(maxsize=SHAPES_CACHED_MAX)
def tensors(shape: Shape) -> tuple[Tensor, ...]:
    """All weights of the main model."""
    found = [*_embeddings(shape), *_norms(shape), *_streams(shape)]
    for attention in shape.attention:
        match attention:
            case Gqa():
                found += _grouped(shape, attention)
            case Mla():
                found += _latent(shape, attention)
            case CompressedLatent():
                found += _compressed(shape, attention)
            case DeltaNet():
                found += _delta_net(shape, attention)
    for part in shape.feed_forward:
        found += _dense(shape, part) if isinstance(part, Dense) else _experts(shape, part)
    return tuple(tensor for tensor in found if tensor.params)


def vocabulary_rows(shape: Shape) -> int:
    """The rows of an embedding, padded."""
    return -(-shape.vocab // VOCAB_MULTIPLE) * VOCAB_MULTIPLE


def stored_bytes(params: int, form: Format) -> int:
    """Bytes of that many weights with their scales, rounded up."""
    weights = -(-params * form.bits // 8)
    if form.scale_params is None:
        return weights
    return weights + -(-params // form.scale_params) * form.scale_bytes


def _tensor(
    part: str,
    share: Share,
    params: int,
    form: Format = BF16,
    *,
    active: int | None = None,
    units: int | None = None,
) -> Tensor:
    active = params if active is None else active
    return Tensor(part, share, params, active, stored_bytes(params, form), units)


def _embeddings(shape: Shape) -> Iterator[Tensor]:
    size = vocabulary_rows(shape) * shape.hidden
    if not shape.tied_embeddings:  # a token looks up one row and multiplies with none
        yield _tensor("embedding", Share.EMBEDDING, size, active=0)
    yield _tensor("output", Share.EMBEDDING, size)


def _norms(shape: Shape) -> Iterator[Tensor]:
    size = (2 * shape.layers + 1) * shape.hidden
    for attention in shape.attention:
        if isinstance(attention, Gqa) and attention.normed:
            size += attention.layers * 2 * attention.head_dim
        elif isinstance(attention, Mla):
            size += attention.layers * (attention.q_rank + attention.kv_rank)
        elif isinstance(attention, CompressedLatent):
            size += attention.layers * (attention.q_rank + attention.head_dim)
        elif isinstance(attention, DeltaNet):
            size += attention.layers * attention.value_dim
    yield _tensor("norms", Share.REPLICATED, size)


def _streams(shape: Shape) -> Iterator[Tensor]:
    """What mixes the residual streams, twice in each layer and once at the end."""
    n = shape.residual_streams
    if n > 1:
        mixes = 2 * shape.layers * (2 + n) * n + n
        yield _tensor("stream_mixers", Share.REPLICATED, mixes * n * shape.hidden, FP32)


def _grouped(shape: Shape, gqa: Gqa) -> Iterable[Tensor]:
    form, layers, hidden = shape.formats.attention, gqa.layers, shape.hidden
    queries, keys = gqa.heads * gqa.head_dim, gqa.kv_heads * gqa.head_dim
    asked = queries * (2 if gqa.gated else 1)
    yield _tensor("attention_q", Share.SHARDED, layers * hidden * asked, form)
    yield _tensor(
        "attention_kv", Share.SHARDED, layers * hidden * 2 * keys, form, units=gqa.kv_heads
    )
    yield _tensor("attention_o", Share.SHARDED, layers * queries * hidden, form)
    if gqa.biased:
        biases = layers * (asked + 2 * keys + hidden)
        yield _tensor("attention_biases", Share.SHARDED, biases)


def _latent(shape: Shape, mla: Mla) -> Iterable[Tensor]:
    form, layers, hidden = shape.formats.attention, mla.layers, shape.hidden
    down = hidden * (mla.q_rank + mla.kv_rank + mla.rope_dim)
    asked = (mla.q_rank or hidden) * mla.heads * (mla.nope_dim + mla.rope_dim)
    kv = mla.kv_rank * mla.heads * (mla.nope_dim + mla.value_dim)
    yield _tensor("attention_down", Share.REPLICATED, layers * down, form)
    yield _tensor("attention_q", Share.SHARDED, layers * asked, form)
    yield _tensor("attention_kv", Share.SHARDED, layers * kv, form)
    yield _tensor("attention_o", Share.SHARDED, layers * mla.heads * mla.value_dim * hidden, form)
    if mla.indexer is not None:
        yield from _index_queries(shape, layers, mla.q_rank or hidden, mla.indexer)
        keys = layers * hidden * mla.indexer.head_dim
        yield _tensor("indexer_k", Share.REPLICATED, keys)


def _index_queries(shape: Shape, layers: int, q_rank: int, indexer: Indexer) -> Iterable[Tensor]:
    queries = layers * q_rank * indexer.heads * indexer.head_dim
    yield _tensor("indexer_q", Share.REPLICATED, queries, shape.formats.attention)
    yield _tensor("indexer_weights", Share.REPLICATED, layers * shape.hidden * indexer.heads)


def _compressed(shape: Shape, part: CompressedLatent) -> Iterable[Tensor]:
    form, layers, hidden = shape.formats.attention, part.layers, shape.hidden
    queries = part.heads * part.head_dim
    down = hidden * (part.q_rank + part.head_dim)
    out = part.output_rank * (queries + part.output_groups * hidden)
    yield _tensor("attention_down", Share.REPLICATED, layers * down, form)
    yield _tensor("attention_q", Share.SHARDED, layers * part.q_rank * queries, form)
    yield _tensor("attention_o", Share.SHARDED, layers * out, form)
    if part.ratio:
        # Values and gates; short ratios overlap, so they make two of each.
        per_dim = hidden * 2 * (2 if part.indexer else 1)
        dims = part.head_dim + (part.indexer.head_dim if part.indexer else 0)
        yield _tensor("compressors", Share.REPLICATED, layers * per_dim * dims)
    if part.indexer is not None:
        yield from _index_queries(shape, layers, part.q_rank, part.indexer)


def _delta_net(shape: Shape, net: DeltaNet) -> Iterable[Tensor]:
    form, layers, hidden = shape.formats.attention, net.layers, shape.hidden
    keys, values = net.key_heads * net.key_dim, net.value_heads * net.value_dim
    yield _tensor("delta_in", Share.SHARDED, layers * hidden * 2 * (keys + values), form)
    yield _tensor("delta_out", Share.SHARDED, layers * values * hidden, form)
    gates = 2 * net.value_heads * (hidden + 1)
    small = gates + (2 * keys + values) * net.conv_width
    yield _tensor("delta_gates", Share.SHARDED, layers * small)


def _dense(shape: Shape, part: Dense) -> Iterable[Tensor]:
    size = part.layers * 3 * shape.hidden * part.inter
    yield _tensor("dense", Share.SHARDED, size, shape.formats.dense)


def _experts(shape: Shape, moe: Moe) -> Iterable[Tensor]:
    def routed(part: str, size: int, form: Format) -> Tensor:
        params, active = (moe.layers * count * size for count in (moe.experts, moe.top_k))
        return _tensor(part, Share.ROUTED, params, form, active=active, units=moe.experts)

    yield routed("experts", 3 * shape.hidden * moe.inter, shape.formats.routed)
    if moe.biased:
        yield routed("expert_biases", 2 * moe.inter + shape.hidden, BF16)
    yield _tensor("router", Share.REPLICATED, moe.layers * moe.experts * shape.hidden)
    shared = moe.layers * 3 * shape.hidden * moe.shared_inter
    yield _tensor("shared_experts", Share.SHARDED, shared, shape.formats.dense)
