"""The shape of a model: its layers as the arithmetic of memory and speed needs them.

A shape says nothing of cards. It comes from a Hugging Face ``config.json`` (models/hf/config.py);
what a config does not say stands in ``unknown`` and is never guessed silently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Gqa:
    """Attention with grouped keys and values; ``window`` or ``chunk`` bound what a token sees."""

    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    window_tokens: int | None = None  # sliding
    chunk_tokens: int | None = None  # Llama 4: attention within chunks
    biased: bool = False  # q, k, v and o carry a bias
    gated: bool = False  # an output gate as wide as the queries
    normed: bool = False  # norms on queries and keys


@dataclass(frozen=True, slots=True)
class Indexer:
    """DeepSeek sparse attention: picks the ``top_k`` tokens that the heads then look at."""

    heads: int
    head_dim: int
    top_k: int


@dataclass(frozen=True, slots=True)
class Mla:
    """Multi-head latent attention: one latent per token, which every tensor-parallel rank keeps."""

    layers: int
    heads: int
    q_rank: int
    kv_rank: int
    rope_dim: int
    nope_dim: int
    value_dim: int
    indexer: Indexer | None = None


@dataclass(frozen=True, slots=True)
class CompressedLatent:
    """DeepSeek-V4's attention has a window of latents, and beyond it one latent per ``ratio``
    tokens.

    ``ratio`` 0: the window only. Layers of ratio 4 carry an indexer.
    """

    layers: int
    heads: int
    head_dim: int
    rope_dim: int
    q_rank: int
    output_groups: int
    output_rank: int
    ratio: int
    window_tokens: int
    indexer: Indexer | None = None


@dataclass(frozen=True, slots=True)
class DeltaNet:
    """Gated delta net: a state of fixed size per sequence in place of keys and values."""

    layers: int
    key_heads: int
    value_heads: int
    key_dim: int
    value_dim: int
    conv_width: int
    state_bytes_per_value: int = 2


@dataclass(frozen=True, slots=True)
class Dense:
    """A gated feed-forward layer."""

    layers: int
    inter: int


@dataclass(frozen=True, slots=True)
class Moe:
    """Routed experts of which a token visits ``top_k``, and ``shared_inter`` that all visit."""

    layers: int
    experts: int
    top_k: int
    inter: int
    shared_inter: int = 0
    biased: bool = False


Attention: TypeAlias = Gqa | Mla | CompressedLatent | DeltaNet
FeedForward: TypeAlias = Dense | Moe


@dataclass(frozen=True, slots=True)
class Format:
    """How weights of one kind are stored. ``scale_params`` weights share one scale.

    Bytes of n weights: ``n * bits / 8 + n / scale_params * scale_bytes``.
    """

    name: str  # bf16, fp32, fp8_block128, fp8_channel, int4_group32, mxfp4
    bits: int
    scale_params: int | None = None
    scale_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Formats:
    """The storage of each kind of weight; embeddings, norms and gates are BF16 throughout."""

    routed: Format
    attention: Format
    dense: Format  # dense layers and shared experts


@dataclass(frozen=True, slots=True)
class Shape:
    """A text model. Draft layers for speculation are not part of it: nothing loads them."""

    architecture: str  # name in the engine's registry
    hidden: int
    vocab: int
    context_tokens_max: int
    attention: tuple[Attention, ...]
    feed_forward: tuple[FeedForward, ...]
    formats: Formats
    tied_embeddings: bool = False
    residual_streams: int = 1  # DeepSeek-V4 mixes several between its layers
    unknown: tuple[str, ...] = ()

    @property
    def layers(self) -> int:
        return sum(part.layers for part in self.attention)

    @property
    def moe(self) -> Moe | None:
        """The routed experts; None for a dense model."""
        return next((part for part in self.feed_forward if isinstance(part, Moe)), None)
