"""Offers of a simulated run: what an external API costs there and how fast it answers.

The default three are assumed list prices, not anyone's: they span a 30-fold output price, so that
it matters which request is bought. Prices are exact integers, as in a bill.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import isfinite

from models.money import pico_usd_per_token
from models.prices import Price

OFFER_TTFT_MS = 600
OFFER_OUTPUT_TOK_S = 60.0
OFFER_TEXT_CHARS_MAX = 200
OFFER_TTFT_MS_MAX = 600_000
OUTPUT_USD_PER_MTOK = ("0.42", "2.30", "12.60")

_INPUT_SHARE_OF_OUTPUT = Decimal("0.25")
_CACHED_SHARE_OF_INPUT = Decimal("0.1")
_ASSUMED_FROM = date(2026, 1, 1)
_OPTIONS = ("id", "in", "cached", "out", "ttft_ms", "tok_s")
_EXAMPLE = "out=2.3,in=0.58,cached=0.06,ttft_ms=600"


class BadOffer(ValueError):
    """An offer's text that does not say what it costs."""


@dataclass(frozen=True, slots=True)
class SimOffer:
    """One external API of a run."""

    offer_id: str
    price: Price
    ttft_ms: int
    output_tok_s: float


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


DEFAULT_OFFERS = tuple(make_offer(usd) for usd in OUTPUT_USD_PER_MTOK)


def parse_offer(text: str) -> SimOffer:
    """An offer from ``out=2.3,in=0.58,cached=0.06,ttft_ms=600``; raises BadOffer.

    Only ``out`` is needed. ``tok_s`` sets its speed, ``id`` its name.
    """
    options = _options(text)
    if "out" not in options:
        raise BadOffer(f"{text!r} lacks out=, the USD per M output tokens; write {_EXAMPLE}")
    try:
        return make_offer(
            options["out"],
            options.get("in"),
            options.get("cached"),
            offer_id=options.get("id"),
            ttft_ms=_ttft_ms(options.get("ttft_ms")),
            output_tok_s=_output_tok_s(options.get("tok_s")),
        )
    except (ValueError, ArithmeticError) as error:
        what = "not a decimal number" if isinstance(error, ArithmeticError) else error
        raise BadOffer(f"{text!r}: {what}; write {_EXAMPLE}") from None


def _options(text: str) -> dict[str, str]:
    if len(text) > OFFER_TEXT_CHARS_MAX:
        raise BadOffer(f"an offer is at most {OFFER_TEXT_CHARS_MAX} characters; write {_EXAMPLE}")
    options: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name not in _OPTIONS or not equals or not value:
            raise BadOffer(
                f"{text!r}: cannot read {part!r}; an offer has {', '.join(_OPTIONS)}, "
                f"as in {_EXAMPLE}"
            )
        if name in options:
            raise BadOffer(f"{text!r}: {name} stands twice")
        options[name] = value
    return options


def _ttft_ms(text: str | None) -> int:
    if text is None:
        return OFFER_TTFT_MS
    plain = text.isascii() and text.isdigit() and len(text) <= len(str(OFFER_TTFT_MS_MAX))
    if not plain or not 0 < int(text) <= OFFER_TTFT_MS_MAX:
        raise ValueError(f"ttft_ms must be a whole number from 1 to {OFFER_TTFT_MS_MAX}")
    return int(text)


def _output_tok_s(text: str | None) -> float:
    if text is None:
        return OFFER_OUTPUT_TOK_S
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (isfinite(value) and value > 0):
        raise ValueError("tok_s must be above 0")
    return value
