from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulation.offers import (
    DEFAULT_OFFERS,
    OFFER_OUTPUT_TOK_S,
    OFFER_TTFT_MS,
    BadOffer,
    make_offer,
    parse_offer,
)


def test_the_default_offers_span_thirty_times_exactly() -> None:
    prices = [offer.price for offer in DEFAULT_OFFERS]
    assert [price.output_pico for price in prices] == [420_000, 2_300_000, 12_600_000]
    assert [price.input_pico for price in prices] == [105_000, 575_000, 3_150_000]
    assert [price.cached_input_pico for price in prices] == [10_500, 57_500, 315_000]
    assert {(offer.ttft_ms, offer.output_tok_s) for offer in DEFAULT_OFFERS} == {(600, 60.0)}
    assert len({offer.offer_id for offer in DEFAULT_OFFERS}) == 3
    assert {price.source for price in prices} == {"assumed"}


def test_an_offers_text_sets_every_part() -> None:
    offer = parse_offer("id=x, out=2.3,in=0.58,cached=0.06,ttft_ms=700,tok_s=45.5")
    assert offer == make_offer("2.3", "0.58", "0.06", offer_id="x", ttft_ms=700, output_tok_s=45.5)
    price = offer.price
    assert (price.input_pico, price.cached_input_pico, price.output_pico) == (
        580_000,
        60_000,
        2_300_000,
    )
    assert (offer.offer_id, offer.ttft_ms, offer.output_tok_s) == ("x", 700, 45.5)


def test_the_output_price_is_enough() -> None:
    offer = parse_offer("out=0.42")
    assert offer.price.input_pico == 105_000
    assert (offer.ttft_ms, offer.output_tok_s) == (OFFER_TTFT_MS, OFFER_OUTPUT_TOK_S)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "cannot read"),
        ("in=1", "lacks out="),
        ("out=", "cannot read"),
        ("out", "cannot read"),
        ("out=1,price=2", "price=2"),
        ("out=1,out=2", "stands twice"),
        ("out=cheap", "not a decimal number"),
        ("out=nan", "between 0"),
        ("out=1e999999999", "out="),
        ("out=-1", "between 0"),
        ("out=0.0000001", "finer"),
        ("out=1,in=x", "not a decimal number"),
        ("out=1,ttft_ms=0", "ttft_ms"),
        ("out=1,ttft_ms=1.5", "ttft_ms"),
        ("out=1,ttft_ms=99999999999", "ttft_ms"),
        ("out=1,tok_s=0", "tok_s"),
        ("out=1,tok_s=inf", "tok_s"),
        ("out=1,tok_s=fast", "tok_s"),
        ("out=1," + "x" * 300, "at most"),
    ],
)
def test_a_bad_offer_says_what_is_wrong_and_how_to_write_it(text: str, what: str) -> None:
    with pytest.raises(BadOffer, match=what):
        parse_offer(text)


@given(st.text(max_size=60) | st.text("out=inced,.0123456789", max_size=60))
def test_any_text_is_an_offer_or_a_bad_one(text: str) -> None:
    try:
        offer = parse_offer(text)
    except BadOffer:
        return
    assert offer.price.output_pico >= 0
