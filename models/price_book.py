"""Dated prices of external offers: an operator's file, this project's, and those of a package.

A price has a first day and, once withdrawn or replaced, a last one, so an old bill can be
worked out again at the price of its day. What a file says of an offer is its word: only of an
offer that it does not know is the source below it asked. Unknown is None, and never bought.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from models.data_file import BadDataFile, data_path, read_entries
from models.package_prices import PACKAGE
from models.price_entry import PriceEntry
from models.token_price import Price
from models.unknown_names import did_you_mean

__all__ = ["BadPriceBook", "Price", "PriceBook", "PriceSource", "load_price_book", "own_prices"]


class BadPriceBook(BadDataFile):
    """A price file that must not be used to bill anyone."""


class PriceSource(Protocol):
    """Whatever knows prices of days."""

    @property
    def name(self) -> str:
        """The name that people read: a file, or a package with its release."""
        ...

    def price_at(self, provider: str, model: str, on: date) -> Price | None:
        """The price of that day, or None: an unknown price is never zero."""
        ...

    def why_not(self, provider: str, model: str, on: date) -> str | None:
        """Why there is no price of an offer on that day; None where the offer is not known."""
        ...

    def names(self, provider: str) -> set[str]:
        """The models of which it knows any price."""
        ...

    def providers(self) -> set[str]:
        """Those of which it knows any price."""
        ...


@dataclass(frozen=True, slots=True)
class PriceBook:
    """The prices of a file. Build it with ``load_price_book``, which rules out overlaps; ``below``
    is asked about offers that the file does not know."""

    prices: tuple[Price, ...]
    below: PriceSource | None = None
    name: str = "a price file"

    def over(self, below: PriceSource | None) -> PriceBook:
        """This book, with another source below it."""
        return replace(self, below=below)

    def price_at(self, provider: str, model: str, on: date) -> Price | None:
        """The price of that day, or None: an unknown price is never zero."""
        of_model = self._of(provider, model)
        for price in of_model:
            if price.stands_on(on):
                return price
        if self.below is None or _has_ended(of_model, on):
            return None
        return self.below.price_at(provider, model, on)

    def why_unknown(self, provider: str, model: str, on: date) -> str:
        """Why there is no price on that day, and what may have been meant."""
        why = self.why_not(provider, model, on)
        if why is not None:
            return why
        if known := self.names(provider):
            return _hinted(f"{provider} has no known price of {model!r}", model, known)
        return _hinted(f"no price of provider {provider!r} is known", provider, self.providers())

    def why_not(self, provider: str, model: str, on: date) -> str | None:
        """Why there is no price of an offer on that day; None where the offer is not known."""
        of_model = self._of(provider, model)
        if _has_ended(of_model, on):
            ends = [price.effective_to for price in of_model if price.effective_from <= on]
            return f"its last known price ended on {max(end for end in ends if end is not None)}"
        below = self.below.why_not(provider, model, on) if self.below is not None else None
        if below is not None or not of_model:
            return below
        begins = min(price.effective_from for price in of_model)
        return f"its price begins on {begins}, and today is {on}"

    def names(self, provider: str) -> set[str]:
        """The models of which it, or a source below it, knows any price."""
        below = self.below.names(provider) if self.below is not None else set()
        return {*below, *(price.model for price in self.prices if price.provider == provider)}

    def providers(self) -> set[str]:
        """Those of which it, or a source below it, knows any price."""
        below = self.below.providers() if self.below is not None else set()
        return {*below, *(price.provider for price in self.prices)}

    def _of(self, provider: str, model: str) -> list[Price]:
        return [each for each in self.prices if each.provider == provider and each.model == model]


def _has_ended(of_model: Iterable[Price], on: date) -> bool:
    return any(price.effective_from <= on and not price.stands_on(on) for price in of_model)


def _hinted(wrong: str, name: str, known: Iterable[str]) -> str:
    hint = did_you_mean(name, known)
    return f"{wrong}; {hint}" if hint else wrong


def load_price_book(path: Path | None = None) -> PriceBook:
    """The price book of this project over the package's, or that of ``path`` alone; raises
    BadPriceBook."""
    if path is None:
        shipped = data_path("prices.yaml")
        return PriceBook(read_prices(shipped), PACKAGE, shipped.name)
    return PriceBook(read_prices(path), name=path.name)


def own_prices(path: str) -> tuple[Price, ...]:
    """Those of an operator's file, which their ids name; raises BadPriceBook."""
    file = Path(path)
    return read_prices(file, f"{file.name}:")


def read_prices(path: Path, prefix: str = "") -> tuple[Price, ...]:
    """The prices of a file, each ``price_id`` with the ``prefix``; raises BadPriceBook."""
    entries, problems = read_entries(path, "prices", PriceEntry)
    prices = sorted(
        (entry.price(prefix) for entry in entries),
        key=lambda price: (price.provider, price.model, price.effective_from),
    )
    problems += [line for price in prices if (line := _empty_span(price))]
    problems += [line for pair in pairwise(prices) if (line := _overlap(*pair))]
    if problems:
        raise BadPriceBook(path, problems)
    return tuple(prices)


def _empty_span(price: Price) -> str | None:
    if price.effective_to is None or price.effective_to > price.effective_from:
        return None
    return f"{price.price_id}: ends on {price.effective_to}, not after it began"


def _overlap(earlier: Price, later: Price) -> str | None:
    """Neighbours suffice: sorted by first day, any overlap shows between two of them."""
    same_offer = (earlier.provider, earlier.model) == (later.provider, later.model)
    if not same_offer or not earlier.stands_on(later.effective_from):
        return None
    return f"{earlier.price_id}: still stands on {later.effective_from}, when another price begins"
