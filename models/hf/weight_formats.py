"""The formats in which weights are stored, and which of them a scheme's figures stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.hf.modules import Kind
from models.shape import Format

BF16 = Format("bf16", 16)
FP32 = Format("fp32", 32)
FP8_BLOCK128 = Format("fp8_block128", 8, 128 * 128, 4)
FP8_CHANNEL = Format("fp8_channel", 8)
MXFP4 = Format("mxfp4", 4, 32, 1)

_BF16_SCALE_BYTES = 2


@dataclass(frozen=True, slots=True)
class Stored:
    """The format of each kind of weights, and what had to be assumed of them."""

    formats: Mapping[Kind, Format]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, form: Format | None) -> Stored | None:
        """All kinds in one format; None where that is not known."""
        return None if form is None else cls(dict.fromkeys(Kind, form))


def fp8(block: Any) -> Format | None:
    """FP8 with a scale for each block, or for each channel where there are none."""
    if block is None:
        return FP8_CHANNEL
    return FP8_BLOCK128 if block in ([128, 128], (128, 128)) else None


def integers(bits: Any, group: Any) -> Format | None:
    if bits not in (4, 8) or not isinstance(group, int) or group <= 0:
        return None
    return Format(f"int{bits}_group{group}", bits, group, _BF16_SCALE_BYTES)


def compressed(weights: Any) -> Format | None:
    """What ``weights`` of a group of compressed-tensors says; null: not quantised."""
    if weights is None:
        return BF16
    if not isinstance(weights, Mapping):
        return None
    kind, bits = weights.get("type"), weights.get("num_bits")
    if kind == "float" and bits == 8:
        return fp8(weights.get("block_structure"))
    return integers(bits, weights.get("group_size")) if kind == "int" else None


def bits_per_weight(form: Format) -> float:
    """The bits of a weight with its share of the scale."""
    scale = 8 * form.scale_bytes / form.scale_params if form.scale_params else 0.0
    return form.bits + scale
