"""Dated prices of external offers, and the exact cost of a request at one of them.

A price has a first day and, once withdrawn or replaced, a last one, so an old bill can be
worked out again at the price of its day. The book refuses two prices for the same day, prices
written as floats, and unknown keys; it reports everything wrong with a file at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from models.data_file import BadDataFile, Entry, data_path, read_entries
from models.lookup import did_you_mean
from models.money import NanoUsd, PicoUsd, ceil_nano, pico_usd_per_token


class BadPriceBook(BadDataFile):
    """A price file that must not be used to bill anyone."""


@dataclass(frozen=True, slots=True)
class Price:
    """What one model costs at one provider over a span of days.

    ``price_id`` names this version in every bill. ``model`` is the provider's own name for it.
    ``cached_input_pico`` is None where the provider gives no discount for cached prompt tokens.
    ``effective_to`` is exclusive, and None while the price stands.
    """

    price_id: str
    provider: str
    model: str
    input_pico: PicoUsd
    cached_input_pico: PicoUsd | None
    output_pico: PicoUsd
    effective_from: date
    effective_to: date | None
    source: str

    def cost_nano(self, prompt_tokens: int, cached_tokens: int, output_tokens: int) -> NanoUsd:
        """The cost of one request. ``cached_tokens`` are part of ``prompt_tokens``."""
        if not 0 <= cached_tokens <= prompt_tokens or output_tokens < 0:
            raise ValueError(
                "a request needs 0 <= cached <= prompt and 0 <= output tokens, got "
                f"cached={cached_tokens}, prompt={prompt_tokens}, output={output_tokens}"
            )
        cached_pico = self.input_pico if self.cached_input_pico is None else self.cached_input_pico
        return ceil_nano(
            (prompt_tokens - cached_tokens) * self.input_pico
            + cached_tokens * cached_pico
            + output_tokens * self.output_pico
        )

    def most_nano(self, prompt_tokens: int, output_tokens: int) -> NanoUsd:
        """The most that so many tokens can cost, whatever of the prompt was cached."""
        input_pico = max(self.input_pico, self.cached_input_pico or 0)
        return ceil_nano(prompt_tokens * input_pico + output_tokens * self.output_pico)

    def stands_on(self, day: date) -> bool:
        return self.effective_from <= day and (self.effective_to is None or day < self.effective_to)


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Every known price. Build it with ``load_price_book``, which rules out overlaps."""

    prices: tuple[Price, ...]

    def price_at(self, provider: str, model: str, on: date) -> Price | None:
        """The price of that day, or None: an unknown price is never zero."""
        for price in self.prices:
            if price.provider == provider and price.model == model and price.stands_on(on):
                return price
        return None

    def why_unknown(self, provider: str, model: str, on: date) -> str:
        """Why there is no price on that day, and what may have been meant."""
        there = [price for price in self.prices if price.provider == provider]
        if not there:
            known = {price.provider for price in self.prices}
            return _hinted(f"no price of provider {provider!r} is known", provider, known)
        of_model = [price for price in there if price.model == model]
        if not of_model:
            known = {price.model for price in there}
            return _hinted(f"{provider} has no known price of {model!r}", model, known)
        begins = [price.effective_from for price in of_model if price.effective_from > on]
        if begins:
            return f"its price begins on {min(begins)}, and today is {on}"
        ended = max(price.effective_to or on for price in of_model)
        return f"its last known price ended on {ended}"


def _hinted(wrong: str, name: str, known: Iterable[str]) -> str:
    hint = did_you_mean(name, known)
    return f"{wrong}; {hint}" if hint else wrong


def load_price_book(path: Path | None = None) -> PriceBook:
    """The price book of this project, or of ``path``; raises BadPriceBook."""
    path = data_path("prices.yaml") if path is None else path
    entries, problems = read_entries(path, "prices", _PriceEntry)
    prices = sorted(
        (entry.price() for entry in entries),
        key=lambda price: (price.provider, price.model, price.effective_from),
    )
    problems += [line for price in prices if (line := _empty_span(price))]
    problems += [line for pair in pairwise(prices) if (line := _overlap(*pair))]
    if problems:
        raise BadPriceBook(path, problems)
    return PriceBook(tuple(prices))


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


_Text = Annotated[str, Field(min_length=1, max_length=200)]
_UsdPerMtok = Annotated[PicoUsd, BeforeValidator(pico_usd_per_token)]


class _PriceEntry(Entry):
    """One price as it stands in the file."""

    provider: _Text
    model: _Text
    input_usd_per_mtok: _UsdPerMtok
    cached_input_usd_per_mtok: _UsdPerMtok | None = None
    output_usd_per_mtok: _UsdPerMtok
    effective_from: date
    effective_to: date | None = None
    source: _Text

    def price(self) -> Price:
        return Price(
            price_id=f"{self.provider}/{self.model}@{self.effective_from}",
            provider=self.provider,
            model=self.model,
            input_pico=self.input_usd_per_mtok,
            cached_input_pico=self.cached_input_usd_per_mtok,
            output_pico=self.output_usd_per_mtok,
            effective_from=self.effective_from,
            effective_to=self.effective_to,
            source=self.source,
        )
