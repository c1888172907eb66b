"""How a checkpoint stores its weights, read from the ``quantization_config`` of its config.json.

A scheme that is not known here is counted as BF16 and said to be so: an upper bound, never a
silent guess. Patterns of a config are compared as text and never run as regular expressions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from models.shape import Format, Formats, Shape

BF16 = Format("bf16", 16)
FP32 = Format("fp32", 32)
FP8_BLOCK128 = Format("fp8_block128", 8, 128 * 128, 4)
FP8_CHANNEL = Format("fp8_channel", 8)
MXFP4 = Format("mxfp4", 4, 32, 1)

_BF16_SCALE_BYTES = 2
_KEPT_KEYS = ("ignore", "modules_to_not_convert", "ignored_layers")  # modules left as they were


def with_fp8_block(shape: Shape) -> Shape:
    """The shape of the FP8 repository of a model whose BF16 config is at hand."""
    return replace(shape, formats=Formats(FP8_BLOCK128, FP8_BLOCK128, FP8_BLOCK128))


def formats_of(config: Mapping[str, Any]) -> tuple[Formats, str | None]:
    """The formats, and what had to be assumed of them."""
    scheme = config.get("quantization_config")
    if not isinstance(scheme, Mapping):
        return Formats(BF16, BF16, BF16), None
    found = _format_of(scheme)
    if found is None:
        method = str(scheme.get("quant_method"))
        return Formats(BF16, BF16, BF16), f"quantization {method!r}: weights counted as BF16"
    if found is MXFP4:  # of the routed experts; the engine keeps all else as it is
        return Formats(MXFP4, BF16, BF16), None
    routed = MXFP4 if config.get("expert_dtype") == "fp4" else found
    lists = [scheme[key] for key in _KEPT_KEYS if isinstance(scheme.get(key), list)]
    kept = [_plain(entry) for entries in lists for entry in entries]
    return Formats(
        routed,
        attention=BF16 if any(map(_is_attention, kept)) else found,
        dense=BF16 if any(map(_is_dense, kept)) else found,
    ), None


def _format_of(scheme: Mapping[str, Any]) -> Format | None:
    match scheme.get("quant_method"):
        case "fp8":
            return _fp8(scheme.get("weight_block_size"))
        case "mxfp4":
            return MXFP4
        case "compressed-tensors":
            return _compressed_tensors(scheme)
        case "awq" | "gptq":
            return _int(scheme.get("bits"), scheme.get("group_size"))
        case _:
            return None


def _fp8(block: Any) -> Format | None:
    if block is None:
        return FP8_CHANNEL
    return FP8_BLOCK128 if block in ([128, 128], (128, 128)) else None


def _int(bits: Any, group: Any) -> Format | None:
    if bits not in (4, 8) or not isinstance(group, int) or group <= 0:
        return None
    return Format(f"int{bits}_group{group}", bits, group, _BF16_SCALE_BYTES)


def _compressed_tensors(scheme: Mapping[str, Any]) -> Format | None:
    groups = scheme.get("config_groups")
    first = next(iter(groups.values()), None) if isinstance(groups, Mapping) else None
    weights = first.get("weights") if isinstance(first, Mapping) else None
    if not isinstance(weights, Mapping):
        return None
    kind, bits = weights.get("type"), weights.get("num_bits")
    if kind == "float" and bits == 8:
        return _fp8(weights.get("block_structure"))
    return _int(bits, weights.get("group_size")) if kind == "int" else None


def _plain(entry: Any) -> str:
    """A module pattern without its wildcards: ``re:.*self_attn.*`` is ``self_attn``."""
    text = str(entry).removeprefix("re:")
    for wild in (".*", "*", "\\", "^", "$"):
        text = text.replace(wild, "")
    return text


def _is_attention(kept: str) -> bool:
    """The whole attention, not one of its norms."""
    return kept.endswith(("self_attn", "self_attn.o_proj"))


def _is_dense(kept: str) -> bool:
    if "self_attn" in kept or ".experts" in kept:
        return False
    return kept.endswith(("shared_experts", "shared_expert")) or (
        kept.endswith("_proj") and any(word in kept for word in ("mlp", "feed_forward", "shared"))
    )
