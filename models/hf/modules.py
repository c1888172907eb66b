"""Which kinds of weights the module names and patterns of a quantization config stand for.

A checkpoint names modules (``model.layers.3.self_attn``), globs (``*.shared_expert.*``), classes
(``Linear``) or regular expressions (``re:.*mlp\\.(gate|up)_proj``). Each is held against the names
that the matrices of one layer have in the families that engines serve. A regular expression comes
from outside, so it is never run: the simple ones are rewritten as globs, the others are unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import pairwise, product

from models.hf.globs import as_globs


class Kind(StrEnum):
    """What ``Formats`` tells apart; the value is how people call it."""

    ROUTED = "routed experts"
    ATTENTION = "attention"
    DENSE = "dense layers and shared experts"


_MLP = ("mlp", "ffn", "feed_forward", "block_sparse_moe")
_GATED = (("gate_proj", "up_proj", "down_proj"), ("gate_up_proj", "down_proj"), ("w1", "w2", "w3"))
_ATTENTION = (
    ("q_proj", "k_proj", "v_proj", "o_proj"),
    ("qkv_proj", "o_proj"),
    ("q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"),
    ("q_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"),
    ("wq_a", "wq_b", "wkv", "wo_a", "wo_b"),
)
_LINEAR_ATTENTION = (("in_proj_qkv", "in_proj_z", "out_proj"), ("in_proj_qkvz", "out_proj"))

GLOBS_CACHED_MAX = 4096

# The matrices of one layer, in each way that some family spells them.
_SPELLINGS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    *(
        (Kind.ATTENTION, tuple(f"{module}.{leaf}" for leaf in leaves))
        for module, leaves in product(("self_attn", "attn", "attention"), _ATTENTION)
    ),
    *(
        (Kind.ATTENTION, tuple(f"linear_attn.{leaf}" for leaf in leaves))
        for leaves in _LINEAR_ATTENTION
    ),
    *(
        (Kind.ROUTED, tuple(f"{mlp}.experts.0.{leaf}" for leaf in leaves))
        for mlp, leaves in product(_MLP, _GATED)
    ),
    *((Kind.ROUTED, (f"{mlp}.experts",)) for mlp in _MLP),
    *((Kind.ROUTED, (f"{mlp}.experts.gate_up_proj", f"{mlp}.experts.down_proj")) for mlp in _MLP),
    *(
        (Kind.DENSE, tuple(f"{mlp}{shared}.{leaf}" for leaf in leaves))
        for mlp, shared, leaves in product(_MLP, ("", ".shared_experts", ".shared_expert"), _GATED)
    ),
)
_LEAVES = frozenset(leaf for _, leaves in _SPELLINGS for leaf in leaves)

# Words of modules that are small, or no part of the text model that is sized.
_BESIDE = re.compile(
    r"head|embed|norm|gate(?!_)|router|bias|vision|visual|image|audio|projector|multi_modal|mtp|draft"
    r"|eagle|indexer|rotary|sink|conv|a_log|score|compressor|nextn",
    re.IGNORECASE,
)
_TEXT_PREFIX = re.compile(r"(?:(?:model|language_model|text_model|transformer|decoder)?[.*?])*")
_LAYER = re.compile(r"(?P<before>.*?)\blayers[.?](?P<number>\d+|[*?]+)(?P<rest>.*)")
_EXPERT = re.compile(r"\bexperts\.\d+")
_CLASSES = (
    (re.compile("Linear"), frozenset(Kind)),
    (re.compile(".*Attention"), frozenset({Kind.ATTENTION})),
    (re.compile(".*(?:Experts|MoE|Moe).*"), frozenset({Kind.ROUTED})),
    (re.compile(".*(?:MLP|FeedForward)"), frozenset({Kind.DENSE})),
    (re.compile(".*(?:Norm|Embedding|Router|Head|Gate|Vision).*"), frozenset[Kind]()),
)


@dataclass(frozen=True, slots=True)
class Reach:
    """``whole`` kinds are reached in all of their matrices, ``part`` ones in some: in this share
    of the layers, 1 where it is some matrices of every layer. ``unread`` patterns could stand for
    anything; ``unknown`` names are those of no matrix that is known here."""

    whole: frozenset[Kind] = frozenset()
    part: Mapping[Kind, float] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def reach(entries: Iterable[object], layers: int) -> Reach:
    """What the entries stand for, in a model of so many layers."""
    whole: set[Kind] = set()
    covered: dict[str, set[int]] = {}  # by matrix: the layers in which it is reached
    unread, unknown = [], []
    for entry in entries:
        text = str(entry)
        if (kinds := _of_class(text)) is not None:
            whole |= kinds
            continue
        globs = as_globs(text)
        if globs is None:
            unread.append(text)
            continue
        found = [(leaf, numbers) for glob in globs for leaf, numbers in _found(glob, layers)]
        for leaf, numbers in found:
            covered.setdefault(leaf, set()).update(numbers)
        if not (found or _BESIDE.search(text) or any(_is_outside(glob, layers) for glob in globs)):
            unknown.append(text)
    part: dict[Kind, float] = {}
    for kind, leaves in _SPELLINGS:
        reached = [covered.get(leaf, set()) for leaf in leaves]
        if all(len(numbers) == layers for numbers in reached):
            whole.add(kind)
        elif most := max(map(len, reached)):
            is_cut = any(bool(a) != bool(b) for a, b in pairwise(reached))
            share = 1.0 if is_cut and most == layers else most / layers
            part[kind] = max(part.get(kind, 0.0), share)
    return Reach(
        frozenset(whole),
        {kind: share for kind, share in part.items() if kind not in whole},
        tuple(unread),
        tuple(unknown),
    )


def _of_class(text: str) -> frozenset[Kind] | None:
    if not re.fullmatch(r"[A-Z]\w*", text):
        return None
    return next((kinds for name, kinds in _CLASSES if name.fullmatch(text)), None)


def _is_outside(glob: str, layers: int) -> bool:
    """Whether it names layers of another tower, or those of a draft model behind the last."""
    layer = _LAYER.fullmatch(glob)
    if layer is None:
        return False
    number = layer["number"]
    is_behind = number.isdigit() and int(number) >= layers
    return is_behind or not _TEXT_PREFIX.fullmatch(layer["before"])


def _found(glob: str, layers: int) -> Iterator[tuple[str, range]]:
    """The matrices that a glob reaches, and in which layers."""
    layer = _LAYER.fullmatch(glob)
    if layer is None:
        for leaf in _matched(glob, "model.layers.0."):
            yield leaf, range(layers)
        return
    if _is_outside(glob, layers):
        return
    number, rest = layer["number"], layer["rest"]
    if "?" in number or re.match(r"\?[.?]|\*\.\w", rest):
        numbers = range(max(1, layers // 2))  # some that are not worked out
        rest = rest[1:] if rest[:1] in ("?", "*") else rest
    elif number == "*":
        numbers, rest = range(layers), rest or "*"
    else:
        numbers = range(int(number), int(number) + 1)
    for leaf in _matched(f"0{rest}", "0."):
        yield leaf, numbers


@lru_cache(maxsize=GLOBS_CACHED_MAX)
def _matched(glob: str, before: str) -> tuple[str, ...]:
    is_one_expert = bool(_EXPERT.search(glob))
    glob = _EXPERT.sub("experts.0", glob)
    found = [leaf for leaf in sorted(_LEAVES) if fnmatchcase(before + leaf, glob)]
    return tuple(found[:1]) if is_one_expert else tuple(found)
