"""What a request costs at one dated price: in integers, tiered by context, cached tokens apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from models.money import PICO_PER_NANO, NanoUsd, PicoUsd, usd_per_mtok

TIERS_MAX = 8
TERMS_UNIT = "USD per M tokens"


@dataclass(frozen=True, slots=True)
class Rates:
    """Pico-USD per token. ``cached_input_pico`` is None where cached prompt tokens have no
    discount, ``cache_write_pico`` where tokens that are written to a cache have no price of
    their own. Reasoning tokens are output."""

    input_pico: PicoUsd
    cached_input_pico: PicoUsd | None
    output_pico: PicoUsd
    cache_write_pico: PicoUsd | None = None


@dataclass(frozen=True, slots=True)
class Tier:
    """The rates of all tokens of a request whose prompt has more than so many tokens."""

    above_prompt_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class BatchPrice:
    """What the same costs where it may wait for a batch. Nothing is bought at it yet."""

    rates: Rates
    tiers: tuple[Tier, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeignList:
    """The list price as its provider states it, per million tokens in its own ``currency``, and
    the exchange rate, of a day, that made it USD."""

    currency: str  # such as CNY
    input_per_mtok: Decimal
    cached_input_per_mtok: Decimal | None
    output_per_mtok: Decimal
    units_per_usd: Decimal
    rate_of: date


class _Band(NamedTuple):
    """Pico-USD per token of prompts above so many tokens: what a token costs, and the most that
    one can cost in a request whose prompt is no longer than those of this band."""

    above_prompt_tokens: int
    costs: tuple[PicoUsd, PicoUsd, PicoUsd]  # of prompt, of cached prompt, of output
    cache_write: PicoUsd
    most: tuple[PicoUsd, PicoUsd]  # of prompt, of output


@dataclass(frozen=True, slots=True)
class Price:
    """What one model costs at one provider over a span of days.

    ``price_id`` names this version in every bill: its source, provider, model and first day.
    ``model`` is the provider's own name for it. The rates are as in ``Rates``; ``tiers`` replace
    them for long prompts, the longest last. ``effective_to`` is exclusive, and None while the
    price stands. ``as_of`` is the day on which the source was known to be right, where it tells.
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
    cache_write_pico: PicoUsd | None = None
    tiers: tuple[Tier, ...] = ()
    batch: BatchPrice | None = None
    foreign: ForeignList | None = None
    as_of: date | None = None
    terms: str = field(init=False, repr=False, compare=False)  # all rates, for a bill
    _band: _Band = field(init=False, repr=False, compare=False)  # of short prompts
    _bands: tuple[_Band, ...] = field(init=False, repr=False, compare=False)  # of the tiers

    def __post_init__(self) -> None:
        first, *others = _bands((Tier(0, self.rates), *self.tiers))
        object.__setattr__(self, "_band", first)
        object.__setattr__(self, "_bands", tuple(others))
        object.__setattr__(self, "terms", _terms(self))

    @property
    def rates(self) -> Rates:
        """Those of short prompts."""
        return Rates(
            self.input_pico, self.cached_input_pico, self.output_pico, self.cache_write_pico
        )

    def cost_nano(
        self,
        prompt_tokens: int,
        cached_tokens: int,
        output_tokens: int,
        cache_write_tokens: int = 0,
    ) -> NanoUsd:
        """The cost of one request. ``cached_tokens``, read from a cache, and
        ``cache_write_tokens`` are parts of ``prompt_tokens``."""
        fresh_tokens = prompt_tokens - cached_tokens - cache_write_tokens
        if fresh_tokens < 0 or cached_tokens < 0 or output_tokens < 0 or cache_write_tokens < 0:
            raise ValueError(
                "a request needs 0 <= cached <= prompt and 0 <= output tokens, got "
                f"cached={cached_tokens}, written={cache_write_tokens}, prompt={prompt_tokens}, "
                f"output={output_tokens}"
            )
        band = self._band_above(prompt_tokens) if self.tiers else self._band
        fresh, cached, output = band.costs
        pico = fresh_tokens * fresh + cached_tokens * cached + output_tokens * output
        if cache_write_tokens:
            pico += cache_write_tokens * band.cache_write
        return -(-pico // PICO_PER_NANO)

    def most_nano(self, prompt_tokens: int, output_tokens: int) -> NanoUsd:
        """The most that so many tokens, or fewer, can cost, whatever of the prompt was cached."""
        band = self._band_above(prompt_tokens) if self.tiers else self._band
        input_pico, output_pico = band.most
        return -(-(prompt_tokens * input_pico + output_tokens * output_pico) // PICO_PER_NANO)

    def stands_on(self, day: date) -> bool:
        return self.effective_from <= day and (self.effective_to is None or day < self.effective_to)

    def _band_above(self, prompt_tokens: int) -> _Band:
        found = self._band
        for band in self._bands:
            if prompt_tokens > band.above_prompt_tokens:
                found = band
        return found


def _bands(tiers: tuple[Tier, ...]) -> list[_Band]:
    made: list[_Band] = []
    most_input = most_output = 0
    for tier in tiers:
        rates = tier.rates
        fresh, output = rates.input_pico, rates.output_pico
        cached = fresh if rates.cached_input_pico is None else rates.cached_input_pico
        written = fresh if rates.cache_write_pico is None else rates.cache_write_pico
        most_input, most_output = max(most_input, fresh, cached, written), max(most_output, output)
        costs, most = (fresh, cached, output), (most_input, most_output)
        made.append(_Band(tier.above_prompt_tokens, costs, written, most))
    return made


def usd_text(pico: PicoUsd) -> str:
    """A price per million tokens, exactly, with at least two decimals."""
    whole, _, decimals = f"{usd_per_mtok(pico):f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def _terms(price: Price) -> str:
    """What ``models.price_terms`` can work a bill out from again."""
    parts = [f"{TERMS_UNIT}: {_rates_text(price.rates)}"]
    for tier in price.tiers:
        parts.append(f"above {tier.above_prompt_tokens}: {_rates_text(tier.rates)}")
    if (foreign := price.foreign) is not None:
        cached = foreign.cached_input_per_mtok
        listed = (foreign.input_per_mtok, cached, foreign.output_per_mtok)
        amounts = "/".join("-" if each is None else f"{each:f}" for each in listed)
        rate = f"at {foreign.units_per_usd:f} per USD of {foreign.rate_of}"
        parts.append(f"{foreign.currency} {amounts} {rate}")
    return "; ".join(parts)


def _rates_text(rates: Rates) -> str:
    named = {
        "input": rates.input_pico,
        "cached": rates.cached_input_pico,
        "cache write": rates.cache_write_pico,
        "output": rates.output_pico,
    }
    return ", ".join(f"{name} {usd_text(pico)}" for name, pico in named.items() if pico is not None)
