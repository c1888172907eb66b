"""Offers: exact prices, from figures of one's own or from the price book."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulation.offer_text import BOOK_EXAMPLE, parse_offer
from benchmarks.simulation.offers import (
    DEFAULT_OFFERS,
    EXAMPLE,
    OFFER_OUTPUT_TOK_S,
    OFFER_TTFT_MS,
    BadOffer,
    book_offer,
    make_offer,
    offer_in_words,
)
from models.price_book import load_price_book

KIMI = "deepinfra/moonshotai/Kimi-K2.5"


TODAY = date(2026, 7, 1)


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
        ("deepinfra/moonshotai/Kimi-K2", "did you mean deepinfra/moonshotai/"),
        (f"{KIMI}@2026-02-07", "2026-02-08 to 2026-06-10, 2026-06-10 to now"),
        (f"{KIMI}@yesterday", "'yesterday' is no day"),
        (f"{KIMI},in=1", "cannot read 'in=1'"),
        (f"{KIMI},ttft_ms=0", "ttft_ms"),
        (f"{KIMI},", "cannot read ''"),
        ("/", "no offer '/'"),
    ],
)
def test_a_bad_offer_says_what_is_wrong_and_how_to_write_it(text: str, what: str) -> None:
    with pytest.raises(BadOffer, match=what) as refused:
        parse_offer(text, TODAY)
    assert any(way in str(refused.value) for way in (EXAMPLE, BOOK_EXAMPLE, "name a day, as in"))


@given(
    st.text(max_size=60)
    | st.text("out=inced,.0123456789", max_size=60)
    | st.text("@-0123456789,ttft_ms=", max_size=30).map(KIMI.__add__)
)
def test_any_text_is_an_offer_or_a_bad_one(text: str) -> None:
    try:
        offer = parse_offer(text, TODAY)
    except BadOffer:
        return
    assert offer.price.output_pico >= 0


def test_an_entry_of_the_price_book_has_the_price_of_its_day() -> None:
    on_the_day, before = (parse_offer(f"{KIMI}@2026-06-{day}") for day in ("10", "09"))
    assert on_the_day.offer_id == on_the_day.price.price_id == f"{KIMI}@2026-06-10"
    assert (on_the_day.price.input_pico, on_the_day.price.output_pico) == (450_000, 2_250_000)
    assert (before.price.input_pico, before.price.output_pico) == (500_000, 2_800_000)
    assert (before.ttft_ms, before.output_tok_s) == (OFFER_TTFT_MS, OFFER_OUTPUT_TOK_S)
    named = parse_offer(f"{KIMI}@2026-06-10, ttft_ms=900,tok_s=30,id=kimi")
    assert (named.offer_id, named.ttft_ms, named.output_tok_s) == ("kimi", 900, 30.0)
    assert named.price == on_the_day.price


def test_without_a_day_it_is_todays() -> None:
    assert parse_offer(KIMI, date(2026, 6, 9)).price.input_pico == 500_000
    assert parse_offer(KIMI, date(2026, 6, 10)).price.input_pico == 450_000
    assert parse_offer("stand-in/tiny-moe").price.stands_on(date.today())
    withdrawn = "deepseek/deepseek-chat"
    with pytest.raises(
        BadOffer, match=r"no price on 2026-04-24.*as in deepseek/deepseek-chat@2025"
    ):
        parse_offer(withdrawn, date(2026, 4, 24))


def test_every_entry_of_the_price_book_can_be_written() -> None:
    for price in load_price_book().prices:
        name = f"{price.provider}/{price.model}"
        assert parse_offer(f"{name}@{price.effective_from}").price == price
        assert book_offer(name, price.effective_from).price == price


def test_words_name_both_prices_and_the_speed() -> None:
    assert offer_in_words(parse_offer(EXAMPLE)) == (
        "out-2.25: 0.45 in, 2.25 out (USD per M tokens), first token after 600 ms, 60 tokens/s"
    )
