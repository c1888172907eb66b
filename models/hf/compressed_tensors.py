"""The ``config_groups`` of compressed-tensors: formats, and the modules that each is for.

A group names its targets: the class ``Linear`` for every matrix, or modules and patterns, which go
before the class. What no group names is not quantised. Where several formats share a kind of
weights, all of it is counted in the widest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from models.hf.modules import Kind, Reach, reach
from models.hf.weight_formats import BF16, Stored, bits_per_weight, compressed
from models.shape import Format

_EVERY_MATRIX = "Linear"


@dataclass(frozen=True, slots=True)
class _Group:
    form: Format | None  # None: not known here
    is_for_all: bool
    named: Reach


def formats_of_groups(groups: Any, layers: int) -> Stored | None:
    """None where the groups cannot be read at all."""
    if not isinstance(groups, Mapping) or not groups:
        return None
    read = [_group(group, layers) for group in groups.values() if isinstance(group, Mapping)]
    if len(read) != len(groups) or any(group.named.unread for group in read):
        return None
    if all(group.form is None for group in read):
        return None
    formats, notes = {}, []
    for kind in Kind:
        formats[kind], note = _format_of(kind, read)
        notes += [] if note is None else [note]
    unknown = [name for group in read for name in group.named.unknown]
    if unknown:
        notes.append(f"config_groups: {unknown[0][:80]!r} is no module that is known here")
    return Stored(formats, tuple(notes))


def _group(group: Mapping[str, Any], layers: int) -> _Group:
    targets = group.get("targets")
    named = targets if isinstance(targets, list) else [_EVERY_MATRIX]
    is_for_all = _EVERY_MATRIX in named
    rest = [target for target in named if target != _EVERY_MATRIX]
    return _Group(compressed(group.get("weights")), is_for_all, reach(rest, layers))


def _format_of(kind: Kind, groups: list[_Group]) -> tuple[Format, str | None]:
    found = list(_formats_in(kind, groups))
    known = [form for form in found if form is not None]
    if len(known) < len(found):
        return BF16, f"config_groups: a format of {kind} is not known here: counted as BF16"
    widest = max(known, key=bits_per_weight)
    if len(set(known)) == 1:
        return widest, None
    names = ", ".join(sorted({form.name for form in known}))
    return widest, f"config_groups: {kind} stored as {names}: counted as {widest.name}"


def _formats_in(kind: Kind, groups: list[_Group]) -> Iterator[Format | None]:
    """The formats in which some of the kind is stored."""
    yield from (g.form for g in groups if kind in g.named.whole or kind in g.named.part)
    if any(kind in group.named.whole for group in groups):
        return
    for_all = [group.form for group in groups if group.is_for_all]
    yield from for_all or [BF16]
