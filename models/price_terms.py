"""Reads the rates that stand in a bill, so that it can be worked out again from itself alone.

A bill of something that was bought holds ``Price.terms``. Neither a price file nor a package that
has changed since is asked.
"""

from __future__ import annotations

import re
from datetime import date

from models.money import NanoUsd, pico_usd_per_token
from models.token_price import TERMS_UNIT, Price, Rates, Tier

_AMOUNT = r"([0-9]+\.[0-9]+)"
_RATES = rf"input {_AMOUNT}(?:, cached {_AMOUNT})?(?:, cache write {_AMOUNT})?, output {_AMOUNT}"
_BASE = re.compile(rf"\({TERMS_UNIT}: {_RATES}")
_TIER = re.compile(rf"; above ([0-9]+): {_RATES}")
_WRITTEN = re.compile(r", ([0-9]+) tokens written to a cache")


def price_in(derivation: str) -> Price | None:
    """The price that the text of a bill holds; None where it holds none."""
    base = _BASE.search(derivation)
    if base is None:
        return None
    rates = _rates(base.groups())
    tiers = tuple(
        Tier(int(found[1]), _rates(found.groups()[1:]))
        for found in _TIER.finditer(derivation, base.end())
    )
    return Price(
        price_id="as billed",
        provider="",
        model="",
        input_pico=rates.input_pico,
        cached_input_pico=rates.cached_input_pico,
        output_pico=rates.output_pico,
        effective_from=date.min,
        effective_to=None,
        source="the bill",
        cache_write_pico=rates.cache_write_pico,
        tiers=tiers,
    )


def cost_again(
    derivation: str, prompt_tokens: int, cached_tokens: int, output_tokens: int
) -> NanoUsd | None:
    """What so many tokens cost by the rates in a bill; None where it holds none."""
    price, written = price_in(derivation), _WRITTEN.search(derivation)
    if price is None:
        return None
    cache_write_tokens = int(written[1]) if written is not None else 0
    return price.cost_nano(prompt_tokens, cached_tokens, output_tokens, cache_write_tokens)


def bill_text(price: Price, cache_write_tokens: int) -> str:
    """What ``cost_again`` reads."""
    written = f", {cache_write_tokens} tokens written to a cache" if cache_write_tokens else ""
    return f"price {price.price_id} ({price.terms}){written}"


def _rates(groups: tuple[str | None, ...]) -> Rates:
    fresh, cached, written, output = (
        None if text is None else pico_usd_per_token(text) for text in groups
    )
    if fresh is None or output is None:
        raise ValueError(f"no price has no rate of prompts or of answers: {groups}")
    return Rates(fresh, cached, output, written)
