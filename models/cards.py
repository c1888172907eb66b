"""The GPU types that replicas run on: usable memory, speed, and a dated price per hour.

A figure that nobody has published or measured is None, never zero and never a guess; each one
that is known says where it comes from and when it was true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from models.data_file import BadDataFile, Entry, data_path, duplicates, read_entries
from models.money import NanoUsd, nano_usd_per_hour


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure comes from, and the day on which it was true."""

    text: str
    as_of: date


@dataclass(frozen=True, slots=True)
class Card:
    """One GPU type. ``memory_gib`` is what a process can allocate, not the number on the box.

    ``nano_usd_per_hour`` is the price of one card for one hour. The host decides the memory and
    speed of the ``cpu`` card, so those are None. ``sources`` has one entry per known figure,
    under the name of its field.
    """

    card_id: str
    memory_gib: float | None
    memory_bandwidth_gb_s: float | None
    bf16_dense_tflops: float | None
    fp8_dense_tflops: float | None
    nano_usd_per_hour: NanoUsd | None
    sources: Mapping[str, Source]


def load_cards(path: Path | None = None) -> dict[str, Card]:
    """Every card of this project, or of ``path``, by its id; raises BadDataFile."""
    path = data_path("cards.yaml") if path is None else path
    entries, problems = read_entries(path, "cards", _CardEntry)
    problems += duplicates([entry.card_id for entry in entries])
    if problems:
        raise BadDataFile(path, problems)
    return {entry.card_id: entry.card() for entry in entries}


class _Sourced(Entry):
    source: Annotated[str, Field(min_length=1, max_length=200)]
    as_of: date


class _Figure(_Sourced):
    value: Annotated[float, Field(gt=0)]


class _HourPrice(_Sourced):
    value: Annotated[NanoUsd, BeforeValidator(nano_usd_per_hour)]


class _CardEntry(Entry):
    """One card as it stands in the file."""

    card_id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    memory_gib: _Figure | None = None
    memory_bandwidth_gb_s: _Figure | None = None
    bf16_dense_tflops: _Figure | None = None
    fp8_dense_tflops: _Figure | None = None
    usd_per_hour: _HourPrice | None = None

    def card(self) -> Card:
        known: dict[str, _Figure | _HourPrice | None] = {
            "memory_gib": self.memory_gib,
            "memory_bandwidth_gb_s": self.memory_bandwidth_gb_s,
            "bf16_dense_tflops": self.bf16_dense_tflops,
            "fp8_dense_tflops": self.fp8_dense_tflops,
            "nano_usd_per_hour": self.usd_per_hour,
        }
        return Card(
            card_id=self.card_id,
            memory_gib=_value(self.memory_gib),
            memory_bandwidth_gb_s=_value(self.memory_bandwidth_gb_s),
            bf16_dense_tflops=_value(self.bf16_dense_tflops),
            fp8_dense_tflops=_value(self.fp8_dense_tflops),
            nano_usd_per_hour=None if self.usd_per_hour is None else self.usd_per_hour.value,
            sources={
                name: Source(figure.source, figure.as_of)
                for name, figure in known.items()
                if figure is not None
            },
        )


def _value(figure: _Figure | None) -> float | None:
    return None if figure is None else figure.value
