from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load.schedule import Ask
from benchmarks.peers.overload import (
    BUDGET_MS,
    OUTPUT_TOKENS,
    PROBE,
    PROMPT_TOKENS,
    Bill,
    Outcome,
    Prices,
    arrivals,
    outcome_of,
    prices,
)
from benchmarks.rig.open_loop import FAILED, Answer
from models.price_book import Price

PRICE = Price(
    "p", "stand-in", "tiny-moe", 100_000, None, 400_000, date(2026, 1, 1), None, "invented"
)
RATES = Prices(PRICE, card_nano_per_hour=36_000_000)
ASK = Ask(0, 0.0, 300, 150, budget_ms=BUDGET_MS)
ASK_NANO = 300 * 100 + 150 * 400
NOTHING = Bill()


def answer(status: int = 200, ttft_ms: float = 100.0, is_whole: bool = True) -> Answer:
    return Answer(ASK, 0.0, status, ttft_ms=ttft_ms, is_whole=is_whole)


def outcome(answers: list[Answer], bought: Bill = NOTHING, seconds: float = 10.0) -> Outcome:
    return outcome_of("a", 14.0, answers, bought, RATES, seconds)


def test_every_request_ends_in_one_of_four_ways() -> None:
    found = outcome(
        [
            answer(),
            answer(ttft_ms=BUDGET_MS),
            answer(ttft_ms=BUDGET_MS + 1),
            answer(status=429, is_whole=False),
            answer(status=503, is_whole=False),
            answer(is_whole=False),
            answer(status=500, is_whole=False),
            answer(status=FAILED, is_whole=False),
        ]
    )
    assert (found.in_time, found.late, found.refused, found.lost) == (2, 1, 2, 3)
    assert found.asks == 8
    assert found.statuses == {200: 4, 429: 1, 503: 1, 500: 1, FAILED: 1}
    assert found.attainment == 0.25
    assert found.ttft_ms_p99 == BUDGET_MS + 1


def test_what_is_spent_is_the_bill_the_cards_and_the_misses() -> None:
    bought = Bill(requests=1, prompt_tokens=300, output_tokens=150)
    found = outcome([answer(), answer(), answer(status=429)], bought)
    assert found.bought_nano_usd == ASK_NANO
    assert found.cards_nano_usd == 2 * 36_000_000 * 10 / 3600
    assert found.misses_nano_usd == ASK_NANO
    assert found.in_time_per_usd_spent == pytest.approx(2e9 / (ASK_NANO + 200_000))
    assert found.in_time_per_usd == pytest.approx(2e9 / (2 * ASK_NANO + 200_000))


def test_nobody_gains_by_missing_what_could_be_bought() -> None:
    bought = Bill(requests=1, prompt_tokens=300, output_tokens=150)
    buys = outcome([answer(), answer()], bought, seconds=1.0)
    misses = outcome([answer(), answer(status=429)], seconds=1.0)
    assert misses.in_time_per_usd_spent > buys.in_time_per_usd_spent
    assert buys.in_time_per_usd > misses.in_time_per_usd


def test_no_whole_answer_has_no_time() -> None:
    found = outcome([answer(status=429)])
    assert found.ttft_ms_p50 is None
    assert found.in_time_per_usd == 0


def test_bills_are_subtracted() -> None:
    assert Bill(5, 50, 500) - Bill(2, 20, 200) == Bill(3, 30, 300)


@given(rate_per_s=st.floats(1.0, 100.0), seconds=st.floats(1.0, 30.0))
def test_arrivals_are_within_the_time_and_the_same_again(rate_per_s: float, seconds: float) -> None:
    asks = arrivals(rate_per_s, seconds)
    assert asks == arrivals(rate_per_s, seconds)
    assert [each.at_s for each in asks] == sorted(each.at_s for each in asks)
    assert all(0 < each.at_s < seconds for each in asks)
    assert all(each.budget_ms == BUDGET_MS for each in asks)


def test_the_probe_is_the_mean_request() -> None:
    asks = arrivals(100.0, 100.0)
    assert len(asks) == pytest.approx(10_000, rel=0.05)
    for low_high, of_probe in (
        (PROMPT_TOKENS, PROBE.prompt_tokens),
        (OUTPUT_TOKENS, PROBE.output_tokens),
    ):
        assert sum(low_high) / 2 == of_probe


def test_the_price_book_and_the_card_file_have_what_it_needs() -> None:
    found = prices()
    assert found.ask_nano(ASK) == ASK_NANO
    assert found.cards_nano(3600) == 2 * found.card_nano_per_hour > 0
