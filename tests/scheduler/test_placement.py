from __future__ import annotations

from scheduler.book import Book
from scheduler.breaker import Breaker
from scheduler.offer_book import OfferBook
from scheduler.placement import cheapest, least_work, predicted_work
from scheduler.queue import Waiting
from scheduler.settings import Settings
from tests.scheduler.given import arrival, offer, price, replica, report

SETTINGS = Settings()


def book(replica_id: str, requests: int = 0, prompt: int = 100, tok_s: float = 1_000.0) -> Book:
    one = Book(replica(replica_id))
    for n in range(requests):
        one.add(arrival(f"{replica_id}-{n}", prompt=prompt))
    one.take_report(report(replica_id, prefill_tok_s=tok_s, decode_step_s=0.01), 0.0)
    return one


def test_predicted_work_is_prefill_times_the_batch() -> None:
    assert predicted_work(arrival(prompt=300), book("r1", 2)) == (2 * 100 + 300) * 3


def test_the_least_work_wins() -> None:
    busy, idle, taken = book("a", 3), book("c", 0), book("b", 1)
    assert least_work(arrival(prompt=300), [busy, idle, taken], SETTINGS) is idle


def test_a_slow_first_measurement_does_not_starve_a_replica() -> None:
    fast, slow = book("a", 1, tok_s=9_000.0), book("b", 0, tok_s=10.0)
    assert least_work(arrival(), [fast, slow], SETTINGS) is slow


def test_equal_work_goes_to_the_faster_card() -> None:
    slow, fast = book("a", tok_s=1_000.0), book("b", tok_s=4_000.0)
    assert least_work(arrival(), [slow, fast], SETTINGS) is fast


def test_ties_go_to_the_smaller_name_in_any_order() -> None:
    one, two = book("a"), book("b")
    assert least_work(arrival(), [two, one], SETTINGS) is one
    assert least_work(arrival(), [one, two], SETTINGS) is one


def offer_book(offer_id: str, input_pico: int, output_pico: int, **change: object) -> OfferBook:
    at = price(input_pico, output_pico)
    return OfferBook(offer(offer_id, at=at, **change), Breaker(), set())  # type: ignore[arg-type]


def test_the_cheapest_offer_depends_on_the_expected_answer() -> None:
    cheap_in, cheap_out = offer_book("in", 1_000, 9_000), offer_book("out", 2_000, 3_000)
    short = Waiting(arrival(prompt=1_000, output=10), 0.0)
    long = Waiting(arrival(prompt=10, output=90), 0.0)
    assert cheapest(short, [cheap_out, cheap_in], 0.0) is cheap_in
    assert cheapest(long, [cheap_out, cheap_in], 0.0) is cheap_out


def test_an_ineligible_or_unpriced_offer_is_never_the_cheapest() -> None:
    unpriced = OfferBook(offer("a", at=None), Breaker(), set())
    full = offer_book("b", 1, 1, in_flight_max=0)
    fits = offer_book("c", 9_000, 9_000)
    waiting = Waiting(arrival(), 0.0)
    assert cheapest(waiting, [unpriced, full, fits], 0.0) is fits
    assert cheapest(waiting, [unpriced, full], 0.0) is None


def test_equal_prices_go_to_the_smaller_name() -> None:
    one, two = offer_book("a", 1_000, 1_000), offer_book("b", 1_000, 1_000)
    assert cheapest(Waiting(arrival(), 0.0), [two, one], 0.0) is one
