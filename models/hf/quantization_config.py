"""How a checkpoint stores its weights, read from the ``quantization_config`` of its config.json.

What is not understood is counted as BF16 and said to be so: an upper bound, never a silent guess.
That goes for a scheme that is not known here, for keys of it that may give single modules another
format, and for patterns of modules that cannot be read. A kind of weights that is kept as it is in
a few layers only is counted in the format of the others, and that is said, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from models.hf.compressed_tensors import formats_of_groups
from models.hf.modules import Kind, Reach, reach
from models.hf.weight_formats import BF16, FP8_BLOCK128, FP32, MXFP4, Stored, fp8, integers
from models.shape import Formats, Shape

__all__ = ["BF16", "FP8_BLOCK128", "FP32", "MXFP4", "formats_of", "with_fp8_block"]

SCHEMES = ("quantization_config", "compression_config")  # the engine reads the first that is there
FEW_LAYERS_SHARE = 1 / 8  # kept as they are in so many layers, weights count as those of the others
NAMED_MAX = 3  # of what was not understood

_KEPT_KEYS = ("ignore", "modules_to_not_convert", "ignored_layers")  # modules left as they were
_READ_KEYS = frozenset({*_KEPT_KEYS, "config_groups", "weight_block_size"})
_NO_WEIGHTS_KEYS = frozenset({"kv_cache_scheme", "meta", "producer"})


def with_fp8_block(shape: Shape) -> Shape:
    """The shape of the FP8 repository of a model whose BF16 config is at hand."""
    return replace(shape, formats=Formats(FP8_BLOCK128, FP8_BLOCK128, FP8_BLOCK128))


def formats_of(config: Mapping[str, Any], layers: int) -> tuple[Formats, tuple[str, ...]]:
    """The formats of a model of so many layers, and what had to be assumed of them."""
    name = next((key for key in SCHEMES if config.get(key) is not None), None)
    if name is None:
        strange = [
            key for key in config if "quant" in key.lower() and _may_set_formats(config[key])
        ]
        return _bf16(f"{', '.join(strange)}: not read here" if strange else None)
    scheme = config[name]
    if not isinstance(scheme, Mapping):
        return _bf16(f"{name} is no mapping")
    method = str(scheme.get("quant_method")).lower().replace("_", "-")
    if method == "none" and "config_groups" in scheme:
        method = "compressed-tensors"
    says = f"quantization {str(scheme.get('quant_method'))!r}"
    strange = [key for key, value in scheme.items() if _is_strange(key, value, method)]
    if strange:
        return _bf16(f"{says} with {_some(strange)}, which is not read here")
    stored = _stored(method, scheme, layers)
    if stored is None:
        return _bf16(says)
    if config.get("expert_dtype") == "fp4":
        stored = replace(stored, formats={**stored.formats, Kind.ROUTED: MXFP4})
    kept = [entry for key in _KEPT_KEYS for entry in _listed(scheme.get(key))]
    stored = _without(stored, reach(kept, layers), layers, says)
    found = stored.formats
    formats = Formats(found[Kind.ROUTED], found[Kind.ATTENTION], found[Kind.DENSE])
    return formats, stored.notes


def _bf16(why: str | None) -> tuple[Formats, tuple[str, ...]]:
    notes = () if why is None else (f"{why}: weights counted as BF16",)
    return Formats(BF16, BF16, BF16), notes


def _is_strange(key: str, value: Any, method: str) -> bool:
    """Whether a key that is not read here may give modules another format."""
    if key == "config_groups" and method != "compressed-tensors":
        return _may_set_formats(value)
    is_known = key in _READ_KEYS or key in _NO_WEIGHTS_KEYS
    return not is_known and _may_set_formats(value)


def _may_set_formats(value: Any) -> bool:
    """A mapping or list with content; ``{"format": "dense"}`` is how sparsity says that there is
    none."""
    return isinstance(value, Mapping | list) and bool(value) and value != {"format": "dense"}


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _stored(method: str, scheme: Mapping[str, Any], layers: int) -> Stored | None:
    readers: dict[str, Callable[[], Stored | None]] = {
        "fp8": lambda: Stored.of(fp8(scheme.get("weight_block_size"))),
        # Only the routed experts; the engine keeps all else as it is.
        "mxfp4": lambda: Stored({Kind.ROUTED: MXFP4, Kind.ATTENTION: BF16, Kind.DENSE: BF16}),
        "compressed-tensors": lambda: formats_of_groups(scheme.get("config_groups"), layers),
        "awq": lambda: Stored.of(integers(scheme.get("bits"), scheme.get("group_size"))),
        "gptq": lambda: Stored.of(integers(scheme.get("bits"), scheme.get("group_size"))),
    }
    read = readers.get(method)
    return None if read is None else read()


def _without(stored: Stored, kept: Reach, layers: int, says: str) -> Stored:
    """The formats but for the modules that are kept as they are."""
    if kept.unread:
        notes = f"{says}: {_some(kept.unread)} cannot be read: weights counted as BF16"
        return Stored(dict.fromkeys(Kind, BF16), (notes,))
    formats, notes_of = dict(stored.formats), list(stored.notes)
    for kind in kept.whole:
        formats[kind] = BF16
    for kind, share in kept.part.items():
        if formats[kind] == BF16:
            continue
        if share > FEW_LAYERS_SHARE:
            formats[kind] = BF16
        where = "in part" if share == 1 else f"in {round(share * layers)} of {layers} layers"
        notes_of.append(f"{says}: {kind} kept {where}, counted as {formats[kind].name}")
    if kept.unknown:
        notes_of.append(
            f"{says}: {_some(kept.unknown)}: no module that is known here, counted like the rest"
        )
    return Stored(formats, tuple(notes_of))


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:80]) for name in names[:NAMED_MAX])
    return shown if len(names) <= NAMED_MAX else f"{shown} and {len(names) - NAMED_MAX} more"
