"""What one request load asks of each card of a replica, in seconds at the card's own figures.

Bytes over the data sheet's bandwidth, operations over its dense peak, messages over its links:
no efficiency and no overhead is in here (models/speed/roofline.py adds them, as measured). Matrices
of FP8 weights multiply in FP8; all other formats are unpacked and multiply in BF16, since these
cards have no smaller arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from models.cards import Card
from models.layout import Layout
from models.shape import CompressedLatent, Format, Mla, Shape
from models.sizing.kv_cache import KvDtype
from models.sizing.tensors import Share, Tensor, tensors
from models.speed.attention_work import kv_bytes_read, prompt_operations, token_operations

ACTIVATION_BYTES = 2  # of one value between two layers, BF16
BATCHED_TOKENS_MAX = 8_192  # a longer prompt is taken in over several steps
REDUCTIONS_PER_LAYER = 2  # after attention and after the feed-forward part
CACHED_MAX = 4_096

_LATENT = (Mla, CompressedLatent)
_WEIGHT_TIMES = (
    "routed_read_s",
    "routed_token_s",
    "shared_read_s",
    "shared_token_s",
    "head_read_s",
)


class UnknownSpeed(ValueError):
    """A card without the figures that a prediction needs."""


@dataclass(frozen=True, slots=True)
class Load:
    """A closed loop: ``concurrency`` clients of one replica (of all its ranks together), each of
    which sends its next request when the last one has ended."""

    input_tokens: float
    output_tokens: float
    concurrency: float

    def __post_init__(self) -> None:
        if min(self.input_tokens, self.output_tokens, self.concurrency) < 1:
            raise ValueError(f"lengths and concurrency start at 1: {self}")


@dataclass(frozen=True, slots=True)
class Work:
    """The work of one card. ``_token_s`` is for each token of a step, ``_request_s`` for each
    running request, the rest for each step or prompt. "Routed" is of experts, whose tokens come
    from all ranks; "shared" is all else in a layer, whose tokens come from the card's own rank."""

    routed_read_s: float
    routed_token_s: float
    routed_pass_s: float  # activations of one token, moved once per expert
    expert_share: float  # of the experts, those that one token visits
    shared_read_s: float
    shared_token_s: float
    shared_pass_s: float
    head_read_s: float
    kv_read_request_s: float
    kv_token_request_s: float  # arithmetic of one new token with the keys before it
    prompt_attention_s: float
    reduce_token_s: float
    exchange_token_s: float
    layers: float
    moe_layers: float
    latent_layers: float
    sparse_layers: float
    linked_layers: float
    ranks: float
    stages: float
    concurrency: float
    output_tokens: float
    chunk_tokens: float  # of one prompt in one step
    chunks: float
    prompt_steps: float  # share of a running request's steps that take in prompts of others
    prompt_tokens: float  # of others, in such a step
    rank_prompt_tokens: float  # those of them on the busiest rank


def work_of(shape: Shape, layout: Layout, card: Card, load: Load, kv_dtype: KvDtype) -> Work:
    """The work that a load asks of each card. Raises UnknownSpeed where a figure is not known."""
    rates = _rates(card)
    context = load.input_tokens + load.output_tokens / 2  # of a request halfway
    chunks = -(-load.input_tokens // BATCHED_TOKENS_MAX)
    prompt_steps, prompt_tokens, rank_tokens = _prompts_of_others(load, chunks, layout.dp)
    return Work(
        **_fixed(shape, layout, rates),
        kv_read_request_s=kv_bytes_read(shape, layout, kv_dtype, context) / rates.memory,
        kv_token_request_s=token_operations(shape, layout, context) / rates.bf16,
        prompt_attention_s=prompt_operations(shape, layout, load.input_tokens) / rates.bf16,
        ranks=layout.dp,
        stages=layout.pp,
        concurrency=load.concurrency,
        output_tokens=load.output_tokens,
        chunk_tokens=load.input_tokens / chunks,
        chunks=chunks,
        prompt_steps=prompt_steps,
        prompt_tokens=prompt_tokens,
        rank_prompt_tokens=rank_tokens,
    )


def _prompts_of_others(load: Load, chunks: float, ranks: int) -> tuple[float, float, float]:
    """A request of a closed loop sees one prompt of every other client while it runs. Those that
    fall together share a step; a rank with a prompt makes all ranks wait for it."""
    others = load.concurrency - 1
    steps = min(1.0, others * chunks / load.output_tokens)
    if steps == 0:
        return 0.0, 0.0, 0.0
    tokens = others * load.input_tokens / load.output_tokens / steps
    prompts = tokens * chunks / load.input_tokens
    return steps, tokens, tokens / max(1.0, min(ranks, prompts))


@dataclass(frozen=True, slots=True)
class _Rates:
    """Bytes and operations per second; links and network one way."""

    memory: float
    bf16: float
    fp8: float
    link: float
    network: float


def _rates(card: Card) -> _Rates:
    memory, bf16, fp8 = card.memory_bandwidth_gb_s, card.bf16_dense_tflops, card.fp8_dense_tflops
    link, network = card.nvlink_gb_s, card.network_gb_s
    if memory is None or bf16 is None or fp8 is None or link is None or network is None:
        raise UnknownSpeed(f"card {card.card_id}: its bandwidth, throughput or links are not known")
    return _Rates(memory * 1e9, bf16 * 1e12, fp8 * 1e12, link / 2 * 1e9, network * 1e9)


@lru_cache(maxsize=CACHED_MAX)
def _fixed(shape: Shape, layout: Layout, rates: _Rates) -> dict[str, float]:
    """What does not depend on the load."""
    moe, value_bytes = shape.moe, shape.hidden * ACTIVATION_BYTES
    moe_layers, top_k = (moe.layers, moe.top_k) if moe else (0, 0)
    reduced = REDUCTIONS_PER_LAYER * 2 * (layout.tp - 1) / layout.tp  # a ring sends twice
    tp_link = rates.link if layout.tp <= layout.cards_per_node else rates.network
    ep_link = rates.link if layout.experts_over <= layout.cards_per_node else rates.network
    exchanged = 2 * moe_layers if layout.dp > 1 else 0  # to the experts and back
    return _weights(shape, layout, rates) | {
        "expert_share": top_k / moe.experts if moe else 0.0,
        "routed_pass_s": moe_layers * top_k / layout.ep * value_bytes / rates.memory,
        "shared_pass_s": shape.layers * value_bytes / rates.memory,
        "reduce_token_s": shape.layers * reduced * value_bytes / tp_link,
        "exchange_token_s": exchanged * value_bytes / ep_link,
        "layers": shape.layers,
        "moe_layers": moe_layers,
        "latent_layers": sum(part.layers for part in shape.attention if isinstance(part, _LATENT)),
        "sparse_layers": sum(
            part.layers
            for part in shape.attention
            if isinstance(part, _LATENT) and part.indexer is not None
        ),
        "linked_layers": shape.layers if layout.experts_over > 1 else 0,
    }


def _weights(shape: Shape, layout: Layout, rates: _Rates) -> dict[str, float]:
    """Time to read each kind of weight once, and to multiply one token with it."""
    spread = {
        Share.ROUTED: layout.experts_over,
        Share.SHARDED: layout.tp,
        Share.EMBEDDING: layout.tp,
        Share.REPLICATED: 1,
    }
    found = dict.fromkeys(_WEIGHT_TIMES, 0.0)
    for tensor in tensors(shape):
        over = min(spread[tensor.share], tensor.units or spread[tensor.share])
        read_s = tensor.weight_bytes / over / rates.memory
        if tensor.share is Share.EMBEDDING:
            # Rows are looked up, the output matrix is read; the two may be one.
            found["head_read_s"] += read_s if tensor.active_params else 0.0
            continue
        kind = "routed" if tensor.share is Share.ROUTED else "shared"
        peak = rates.fp8 if _format(shape, tensor).name.startswith("fp8") else rates.bf16
        found[f"{kind}_read_s"] += read_s
        found[f"{kind}_token_s"] += 2 * tensor.active_params / over / peak
    return found


def _format(shape: Shape, tensor: Tensor) -> Format:
    if tensor.share is Share.ROUTED:
        return shape.formats.routed
    if tensor.part in ("dense", "shared_experts"):
        return shape.formats.dense
    return shape.formats.attention
