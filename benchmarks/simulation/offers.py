"""Offers of a simulated run: what an external API costs there and how fast it answers.

The default three are assumed list prices, not anyone's: they span a 30-fold output price, so that
it matters which request is bought. An offer of one's own is written as prices, or as the name of a
dated entry of the price book. Prices are exact integers, as in a bill.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache

from benchmarks.simulation.pools import MODEL
from models.money import PICO_PER_TOKEN_PER_USD_PER_MTOK, pico_usd_per_token
from models.price_book import Price, PriceBook, load_price_book
from models.unknown_names import UnknownName

OFFER_TTFT_MS = 600
OFFER_OUTPUT_TOK_S = 60.0
OUTPUT_USD_PER_MTOK = ("0.42", "2.30", "12.60")
EXAMPLE = "out=2.25,in=0.45,ttft_ms=600"  # of an offer as people write it

_INPUT_SHARE_OF_OUTPUT = Decimal("0.25")
_CACHED_SHARE_OF_INPUT = Decimal("0.1")
_ASSUMED_FROM = date(2026, 1, 1)


class BadOffer(ValueError):
    """An offer's text that does not say what it costs; the message says what to write."""


class UnknownPrice(UnknownName):
    noun, where = "offer", "price book"


@dataclass(frozen=True, slots=True)
class SimOffer:
    """One external API of a run."""

    offer_id: str
    price: Price
    ttft_ms: int
    output_tok_s: float
    model: str = MODEL  # that it sells


def make_offer(
    out: str | Decimal,
    input_usd: str | Decimal | None = None,
    cached_usd: str | Decimal | None = None,
    *,
    offer_id: str | None = None,
    ttft_ms: int = OFFER_TTFT_MS,
    output_tok_s: float = OFFER_OUTPUT_TOK_S,
) -> SimOffer:
    """An offer from its list prices in USD per M tokens.

    Input defaults to a quarter of output, cached input to a tenth of input.
    """
    if input_usd is None:
        input_usd = Decimal(out) * _INPUT_SHARE_OF_OUTPUT
    if cached_usd is None:
        cached_usd = Decimal(input_usd) * _CACHED_SHARE_OF_INPUT
    offer_id = f"out-{out}" if offer_id is None else offer_id
    price = Price(
        price_id=f"{offer_id}@{_ASSUMED_FROM}",
        provider=offer_id,
        model="assumed",
        input_pico=pico_usd_per_token(input_usd),
        cached_input_pico=pico_usd_per_token(cached_usd),
        output_pico=pico_usd_per_token(out),
        effective_from=_ASSUMED_FROM,
        effective_to=None,
        source="assumed",
    )
    return SimOffer(offer_id, price, ttft_ms, output_tok_s)


def book_offer(
    name: str,
    on: date,
    *,
    offer_id: str | None = None,
    ttft_ms: int = OFFER_TTFT_MS,
    output_tok_s: float = OFFER_OUTPUT_TOK_S,
) -> SimOffer:
    """``provider/model`` at its price of that day in the price book; raises BadOffer."""
    prices = _price_book().prices
    known = [price for price in prices if f"{price.provider}/{price.model}" == name]
    if not known:
        names = dict.fromkeys(f"{price.provider}/{price.model}" for price in prices)
        raise BadOffer(f"{UnknownPrice(name, names)}; or write its prices, as in {EXAMPLE}")
    price = next((price for price in known if price.stands_on(on)), None)
    if price is None:
        spans = ", ".join(f"{p.effective_from} to {p.effective_to or 'now'}" for p in known)
        raise BadOffer(
            f"{name} has no price on {on}: its prices are of {spans} (the last day left out); "
            f"name a day, as in {name}@{known[0].effective_from}"
        )
    return SimOffer(offer_id or price.price_id, price, ttft_ms, output_tok_s)


@cache
def _price_book() -> PriceBook:
    return load_price_book()


DEFAULT_OFFERS = tuple(make_offer(usd) for usd in OUTPUT_USD_PER_MTOK)


def offer_in_words(offer: SimOffer) -> str:
    """Its name, what it costs, and how fast it answers, in one line."""
    price = offer.price
    in_usd, out_usd = (
        f"{pico / PICO_PER_TOKEN_PER_USD_PER_MTOK:g}"
        for pico in (price.input_pico, price.output_pico)
    )
    return (
        f"{offer.offer_id}: {in_usd} in, {out_usd} out (USD per M tokens), "
        f"first token after {offer.ttft_ms} ms, {offer.output_tok_s:g} tokens/s"
        + ("" if offer.model == MODEL else f", sells {offer.model}")
    )
