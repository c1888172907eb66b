"""What an API is paid for M output tokens together with the input that they need.

V = p_out + r * [(1 - h) * p_miss + h * p_hit]: r input tokens per output token, a share h of
them cached. A provider without a discount charges cached tokens as any others. A price that is
not known is refused: counted as 0 it would make the API win.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches

from benchmarks.economics.input_checks import BadInput, not_negative, priced, share
from models.money import pico_usd_per_token, usd_per_mtok
from models.price_book import Price, PriceBook

NEAR_NAMES_MAX = 5
GIVEN = "given"


@dataclass(frozen=True, slots=True)
class TokenMix:
    """``input_per_output`` tokens of prompt for each of the answer; ``cache_hit``: the share of
    the prompt that the API charges as cached.
    """

    input_per_output: Decimal
    cache_hit: Decimal

    def __post_init__(self) -> None:
        not_negative("input per output", self.input_per_output)
        share("cache hit", self.cache_hit)


def value_usd_per_mtok(price: Price, mix: TokenMix) -> Decimal:
    """The value V, in USD per million output tokens, exactly."""
    miss = usd_per_mtok(price.input_pico)
    hit = miss if price.cached_input_pico is None else usd_per_mtok(price.cached_input_pico)
    prompt = (1 - mix.cache_hit) * miss + mix.cache_hit * hit
    value = usd_per_mtok(price.output_pico) + mix.input_per_output * prompt
    if value == 0:
        raise BadInput(f"{price.price_id} is free at this mix: nothing that costs can beat it")
    return value


def given_price(
    input_usd: str | None, output_usd: str | None, cached_usd: str | None, on: date
) -> Price:
    """A price that the caller states; both sides must be known."""
    if input_usd is None or output_usd is None:
        missing = "input" if input_usd is None else "output"
        raise BadInput(f"the API's {missing} price is missing: unknown is not 0, give it too")
    input_pico = priced("API input price", input_usd, pico_usd_per_token)
    cached_pico = (
        None if cached_usd is None else priced("API cached price", cached_usd, pico_usd_per_token)
    )
    if cached_pico is not None and cached_pico > input_pico:
        raise BadInput("the API's cached price is above its input price: are they swapped?")
    return Price(
        price_id=f"{GIVEN} {input_usd}/{output_usd}",
        provider=GIVEN,
        model=GIVEN,
        input_pico=input_pico,
        cached_input_pico=cached_pico,
        output_pico=priced("API output price", output_usd, pico_usd_per_token),
        effective_from=on,
        effective_to=None,
        source="given by the caller",
    )


def is_same_model(one: str, other: str) -> bool:
    """Whether two names are of one model, as far as names tell: the maker before the slash, case
    and marks aside. An alias of a vendor's own (`deepseek-chat`) is not seen through."""
    return _bare(one) == _bare(other)


def _bare(name: str) -> str:
    return "".join(each for each in name.rpartition("/")[2].lower() if each.isalnum())


def find_price(book: PriceBook, price_id: str) -> Price:
    """The entry of that name, withdrawn ones included: their dates are shown with them."""
    known = {price.price_id: price for price in book.prices}
    if price_id in known:
        return known[price_id]
    near = get_close_matches(price_id, known, NEAR_NAMES_MAX, 0.3) or sorted(known)[:NEAR_NAMES_MAX]
    raise BadInput(f"no price {price_id!r:.80} in the book; there are {', '.join(near)}")
