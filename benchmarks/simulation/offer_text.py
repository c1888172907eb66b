"""An offer as people write it: its own prices, or the name of an entry of the price book."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from math import isfinite
from typing import Any

from benchmarks.simulation.offers import (
    EXAMPLE,
    OFFER_OUTPUT_TOK_S,
    OFFER_TTFT_MS,
    BadOffer,
    SimOffer,
    book_offer,
    make_offer,
)

BOOK_EXAMPLE = "deepinfra/moonshotai/Kimi-K2.5@2026-06-10"
OFFER_TEXT_CHARS_MAX = 200
OFFER_TTFT_MS_MAX = 600_000

_OF_THE_BOOK = ("id", "ttft_ms", "tok_s", "model")  # what an entry of the price book does not say
_OPTIONS = ("out", "in", "cached", *_OF_THE_BOOK)


def parse_offer(text: str, today: date | None = None) -> SimOffer:
    """An offer from its prices or from the price book; raises BadOffer.

    ``out=2.25,in=0.45,ttft_ms=600``: only ``out`` is needed; ``tok_s`` sets its speed, ``id`` its
    name. ``provider/model@2026-06-10,ttft_ms=600``: an entry of the price book at its price of that
    day; without a day, of ``today``. ``model`` is the one of the pools that it sells.
    """
    if len(text) > OFFER_TEXT_CHARS_MAX:
        raise BadOffer(f"an offer is at most {OFFER_TEXT_CHARS_MAX} characters; write {EXAMPLE}")
    first, comma, rest = text.partition(",")
    try:
        if "/" in first and "=" not in first:
            options = options_of(rest, _OF_THE_BOOK) if comma else {}
            name, _, day = first.strip().partition("@")
            return _selling(book_offer(name, _day(day, today), **_speed(options)), options)
        options = options_of(text, _OPTIONS)
        if "out" not in options:
            raise ValueError("lacks out=, the USD per M output tokens")
        prices = options["out"], options.get("in"), options.get("cached")
        return _selling(make_offer(*prices, **_speed(options)), options)
    except BadOffer:
        raise
    except (ValueError, ArithmeticError) as error:
        what = "not a decimal number" if isinstance(error, ArithmeticError) else error
        raise BadOffer(
            f"{text!r}: {what}; write its prices, as in {EXAMPLE}, "
            f"or name an entry of the price book, as in {BOOK_EXAMPLE}"
        ) from None


def _selling(offer: SimOffer, options: Mapping[str, str]) -> SimOffer:
    return replace(offer, model=options["model"]) if "model" in options else offer


def options_of(text: str, known: Sequence[str]) -> dict[str, str]:
    """Names and values, as in ``a=1,b=2``; ValueError where that is something else."""
    options: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name not in known or not equals or not value:
            raise ValueError(f"cannot read {part!r}: what may stand here is {', '.join(known)}")
        if name in options:
            raise ValueError(f"{name} stands twice")
        options[name] = value
    return options


def _speed(options: Mapping[str, str]) -> dict[str, Any]:
    """Its name and how fast it answers, as far as they are told."""
    return {
        "offer_id": options.get("id"),
        "ttft_ms": _ttft_ms(options.get("ttft_ms")),
        "output_tok_s": _output_tok_s(options.get("tok_s")),
    }


def _day(text: str, today: date | None) -> date:
    if not text:
        return today or date.today()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no day") from None


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
