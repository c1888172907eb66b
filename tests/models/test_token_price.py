"""Tiers by the length of the prompt, tokens of caches, and bounds that hold for all of them."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.price_terms import bill_text, cost_again, price_in
from models.token_price import Price, Rates, Tier

TOKENS = st.integers(0, 10**7)
PICO = st.integers(0, 10**9)
RATES = st.builds(Rates, PICO, st.none() | PICO, PICO, st.none() | PICO)
LONG = Tier(200_000, Rates(6_000_000, 600_000, 22_500_000, 7_500_000))


def priced(rates: Rates, *tiers: Tier) -> Price:
    return Price(
        price_id="p/m@2026-01-01",
        provider="p",
        model="m",
        input_pico=rates.input_pico,
        cached_input_pico=rates.cached_input_pico,
        output_pico=rates.output_pico,
        effective_from=date(2026, 1, 1),
        effective_to=None,
        source="test",
        cache_write_pico=rates.cache_write_pico,
        tiers=tiers,
    )


@st.composite
def prices(draw: st.DrawFn) -> Price:
    starts = sorted(draw(st.sets(st.integers(1, 10**7), max_size=3)))
    return priced(draw(RATES), *(Tier(start, draw(RATES)) for start in starts))


def plainly(price: Price, fresh: int, cached: int, written: int, output: int) -> Fraction:
    """The same by the list, in nano-USD."""
    rates = price.rates
    for tier in price.tiers:
        if fresh + cached + written > tier.above_prompt_tokens:
            rates = tier.rates
    of_cached = rates.input_pico if rates.cached_input_pico is None else rates.cached_input_pico
    of_written = rates.input_pico if rates.cache_write_pico is None else rates.cache_write_pico
    return Fraction(
        fresh * rates.input_pico
        + cached * of_cached
        + written * of_written
        + output * rates.output_pico,
        1000,
    )


@given(prices(), TOKENS, TOKENS, TOKENS, TOKENS)
def test_every_token_has_its_rate_and_the_sum_is_rounded_up_once(
    price: Price, fresh: int, cached: int, written: int, output: int
) -> None:
    cost = price.cost_nano(fresh + cached + written, cached, output, written)
    assert isinstance(cost, int)
    assert 0 <= cost - plainly(price, fresh, cached, written, output) < 1


@given(prices(), TOKENS, TOKENS, TOKENS, TOKENS, TOKENS, TOKENS)
def test_nothing_costs_more_than_its_bound(
    price: Price, fresh: int, cached: int, written: int, output: int, more: int, longer: int
) -> None:
    prompt = fresh + cached + written
    most = price.most_nano(prompt + more, output + longer)
    assert price.cost_nano(prompt, cached, output, written) <= most


@pytest.mark.parametrize(("prompt", "nano"), [(200_000, 600_000_000), (200_001, 1_200_006_000)])
def test_a_tier_begins_above_its_tokens_and_holds_for_all_of_them(prompt: int, nano: int) -> None:
    price = priced(Rates(3_000_000, 300_000, 15_000_000, 3_750_000), LONG)
    assert price.cost_nano(prompt, 0, 0) == nano


def test_more_tokens_of_caches_than_the_prompt_has_are_refused() -> None:
    with pytest.raises(ValueError, match="cached=6, written=5, prompt=10"):
        priced(Rates(1, None, 1)).cost_nano(10, 6, 0, 5)


@given(prices(), TOKENS, TOKENS, TOKENS, TOKENS)
def test_a_bill_can_be_worked_out_again_from_its_text_alone(
    price: Price, fresh: int, cached: int, written: int, output: int
) -> None:
    prompt = fresh + cached + written
    text = bill_text(price, written) + ", tokens estimated, a note of 3 (see there)"
    cost = price.cost_nano(prompt, cached, output, written)
    assert cost_again(text, prompt, cached, output) == cost


def test_a_bill_without_rates_cannot() -> None:
    assert cost_again("card cpu 50000000 nano-USD/h x 0.0888 s share", 1, 0, 1) is None
    assert price_in("price p/m@2026-01-01") is None


def test_the_text_of_a_bill_names_every_rate_and_tier() -> None:
    price = priced(Rates(3_000_000, None, 15_000_000), LONG)
    assert bill_text(price, 0) == (
        "price p/m@2026-01-01 (USD per M tokens: input 3.00, output 15.00; above 200000: input "
        "6.00, cached 0.60, cache write 7.50, output 22.50)"
    )
