"""The GPU types that replicas run on: usable memory, speed, links, and a dated price per hour.

A figure that nobody has published or measured is None, never zero and never a guess; each one
that is known says where it comes from, when it was true, and whether it is exact or estimated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from models.data_file import BadDataFile, Entry, Source, data_path, duplicates, read_entries
from models.money import NanoUsd, nano_usd_per_hour
from models.unknown_names import UnknownName


@dataclass(frozen=True, slots=True)
class Card:
    """One GPU type. ``memory_gib`` is what a process can allocate, not the number on the box.

    ``nvml_total_mib`` is what the driver reports, under the name ``cuda_name``. ``nvlink_gb_s``
    counts both directions together; ``network_gb_s`` is one card's share of its node's network,
    one way. Throughput is dense. ``nano_usd_per_hour`` is the typical price of one card for one
    hour, with the lowest and the highest that were seen. The host decides the memory and speed of
    the ``cpu`` card, so those are None. ``sources`` has one entry per known figure, under the
    name of its field.
    """

    card_id: str
    name: str
    cuda_name: str | None = None
    memory_gib: float | None = None
    nvml_total_mib: float | None = None
    memory_bandwidth_gb_s: float | None = None
    bf16_dense_tflops: float | None = None
    fp8_dense_tflops: float | None = None
    nvlink_gb_s: float | None = None
    network_gb_s: float | None = None
    power_w: float | None = None
    nano_usd_per_hour: NanoUsd | None = None
    nano_usd_per_hour_low: NanoUsd | None = None
    nano_usd_per_hour_high: NanoUsd | None = None
    sources: Mapping[str, Source] = field(default_factory=dict)


class UnknownCard(UnknownName):
    noun = "card"
    where = "card file"


def load_cards(path: Path | None = None) -> dict[str, Card]:
    """Every card of this project, or of ``path``, by its id; raises BadDataFile."""
    path = data_path("cards.yaml") if path is None else path
    entries, problems = read_entries(path, "cards", _CardEntry)
    problems += duplicates([entry.card_id for entry in entries])
    problems += [
        f"{entry.card_id}: the price per hour is outside its band"
        for entry in entries
        if not entry.is_price_in_band()
    ]
    if problems:
        raise BadDataFile(path, problems)
    return {entry.card_id: entry.card() for entry in entries}


def find_card(name: str, cards: Mapping[str, Card] | None = None) -> Card:
    """The card of that id, however it is written; raises UnknownCard."""
    cards = load_cards() if cards is None else cards
    card = cards.get(name.lower())
    if card is None:
        raise UnknownCard(name, cards)
    return card


class _Figure(Source):
    value: Annotated[float, Field(gt=0)]


_UsdPerHour = Annotated[NanoUsd, BeforeValidator(nano_usd_per_hour)]


class _HourPrice(Source):
    value: _UsdPerHour


class _PriceBand(Source):
    low: _UsdPerHour
    high: _UsdPerHour


class _Figures(Entry):
    """What is a number in the file, under the names of `Card`."""

    memory_gib: _Figure | None = None
    nvml_total_mib: _Figure | None = None
    memory_bandwidth_gb_s: _Figure | None = None
    bf16_dense_tflops: _Figure | None = None
    fp8_dense_tflops: _Figure | None = None
    nvlink_gb_s: _Figure | None = None
    network_gb_s: _Figure | None = None
    power_w: _Figure | None = None


class _CardEntry(_Figures):
    """One card as it stands in the file."""

    card_id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    name: Annotated[str, Field(min_length=1, max_length=32)]
    cuda_name: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    usd_per_hour: _HourPrice | None = None
    usd_per_hour_band: _PriceBand | None = None

    def is_price_in_band(self) -> bool:
        price, band = self.usd_per_hour, self.usd_per_hour_band
        return band is None or (price is not None and band.low <= price.value <= band.high)

    def card(self) -> Card:
        figures: dict[str, _Figure] = {
            name: figure for name in _Figures.model_fields if (figure := getattr(self, name))
        }
        sources: dict[str, Source] = {name: _source(each) for name, each in figures.items()}
        price, band = self.usd_per_hour, self.usd_per_hour_band
        if price is not None:
            sources["nano_usd_per_hour"] = _source(price)
        if band is not None:
            sources |= dict.fromkeys(
                ("nano_usd_per_hour_low", "nano_usd_per_hour_high"), _source(band)
            )
        return Card(
            card_id=self.card_id,
            name=self.name,
            cuda_name=self.cuda_name,
            nano_usd_per_hour=None if price is None else price.value,
            nano_usd_per_hour_low=None if band is None else band.low,
            nano_usd_per_hour_high=None if band is None else band.high,
            sources=sources,
            **{name: figure.value for name, figure in figures.items()},
        )


def _source(figure: Source) -> Source:
    return Source(mark=figure.mark, source=figure.source, as_of=figure.as_of)
