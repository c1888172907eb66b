from __future__ import annotations

from collections.abc import Callable

import pytest

from scheduler.book import Book
from scheduler.breaker import Breaker
from scheduler.decision import Outcome, Refusal
from scheduler.eligibility import refuse_offer, refuse_replica
from scheduler.offer_book import OfferBook
from scheduler.queue import Waiting
from scheduler.settings import Settings
from tests.scheduler.given import arrival, offer, replica, report

SETTINGS = Settings(ramp_requests=2, kv_headroom=0.0, report_age_ms_max=1_000, breaker_failures=1)
NOW = 100.0


def waiting(prompt: int = 100, output_max: int = 100, excluded: str | None = None) -> Waiting:
    request = arrival("new", prompt=prompt, output=50, output_max=output_max)
    return Waiting(request, NOW, excluded)


def fill(book: Book, requests: int, prompt: int = 10, *, started: bool = True) -> None:
    for n in range(requests):
        book.add(arrival(f"old{n}", prompt=prompt, output=10))
        if started:
            book.progress(f"old{n}", 1)


def other_model(book: Book) -> None:
    book.replica = replica(model="another")


def dead(book: Book) -> None:
    book.is_alive = False


def broken(book: Book) -> None:
    book.breaker.on_end("x", Outcome.TARGET_FAILED, SETTINGS, NOW)


def idle(book: Book) -> None:
    book.take_report(report(), NOW)


def never_reported(book: Book) -> None:
    fill(book, 2)


def stale(book: Book) -> None:
    book.take_report(report(), NOW - 1.5)
    fill(book, 2)


def absurd(book: Book) -> None:
    idle(book)
    fill(book, 2)
    book.take_report(report(decode_step_s=float("nan")), NOW)


def slots_taken(book: Book) -> None:
    idle(book)
    fill(book, 8)


def slots_taken_by_others(book: Book) -> None:
    book.take_report(report(running=8), NOW)


def slots_taken_and_stale(book: Book) -> None:
    fill(book, 8)


def engine_queue(book: Book) -> None:
    book.take_report(report(running=1, waiting=1, prefill_waiting=2_001), NOW)


def about_to_be_scheduled(book: Book) -> None:
    book.take_report(report(running=1, waiting=1, prefill_waiting=2_000), NOW)


def prefill_waiting(book: Book) -> None:
    idle(book)
    fill(book, 1, prompt=1_901, started=False)


def prefill_waiting_just_fits(book: Book) -> None:
    idle(book)
    fill(book, 1, prompt=1_900, started=False)


def kv_taken(book: Book) -> None:
    idle(book)
    fill(book, 1, prompt=9_841)  # 9,851 of 10,000 reserved; 150 asked


def kv_just_fits(book: Book) -> None:
    idle(book)
    fill(book, 1, prompt=9_840)


def kv_taken_by_others(book: Book) -> None:
    book.take_report(report(running=1, kv=9_900), NOW)


@pytest.mark.parametrize(
    ("prepare", "refusal"),
    [
        (idle, None),
        (other_model, Refusal.OTHER_MODEL),
        (dead, Refusal.DEAD),
        (broken, Refusal.BREAKER_OPEN),
        (never_reported, Refusal.STALE_REPORT),
        (stale, Refusal.STALE_REPORT),
        (absurd, Refusal.STALE_REPORT),
        (slots_taken, Refusal.NO_SLOT),
        (slots_taken_by_others, Refusal.NO_SLOT),
        (slots_taken_and_stale, Refusal.NO_SLOT),
        (engine_queue, Refusal.ENGINE_QUEUE),
        (about_to_be_scheduled, None),
        (prefill_waiting, Refusal.ENGINE_QUEUE),
        (prefill_waiting_just_fits, None),
        (kv_taken, Refusal.NO_KV_ROOM),
        (kv_just_fits, None),
        (kv_taken_by_others, Refusal.NO_KV_ROOM),
    ],
)
def test_replica(prepare: Callable[[Book], None], refusal: Refusal | None) -> None:
    book = Book(replica())
    prepare(book)
    assert refuse_replica(waiting(), book, SETTINGS, NOW) is refusal


@pytest.mark.parametrize(("output_max", "refusal"), [(3_900, None), (3_901, Refusal.CONTEXT)])
def test_replica_context_counts_the_longest_answer(
    output_max: int, refusal: Refusal | None
) -> None:
    assert refuse_replica(waiting(100, output_max), Book(replica()), SETTINGS, NOW) is refusal


def test_a_failed_replica_is_excluded_in_that_boot_only() -> None:
    excluded = waiting(excluded="local:r1#1")
    book, rebooted = Book(replica()), Book(replica(generation=2))
    assert refuse_replica(excluded, book, SETTINGS, NOW) is Refusal.EXCLUDED
    assert refuse_replica(excluded, rebooted, SETTINGS, NOW) is None


def test_an_idle_replica_takes_a_request_above_its_limits() -> None:
    book = Book(replica(kv=1_000, batched=500))
    assert refuse_replica(waiting(prompt=2_000), book, SETTINGS, NOW) is None
    idle(book)
    assert refuse_replica(waiting(prompt=2_000), book, SETTINGS, NOW) is None


def test_a_report_older_than_the_latest_dispatch_is_tolerated() -> None:
    book = Book(replica())
    idle(book)
    fill(book, 3, started=False)
    assert refuse_replica(waiting(), book, SETTINGS, NOW) is None


def offer_book(**change: object) -> OfferBook:
    return OfferBook(offer(**change), Breaker(), set())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("book", "refusal"),
    [
        (offer_book(), None),
        (offer_book(model="another"), Refusal.OTHER_MODEL),
        (offer_book(context=200), None),
        (offer_book(context=199), Refusal.CONTEXT),
        (offer_book(at=None), Refusal.PRICE_UNKNOWN),
        (offer_book(in_flight_max=0), Refusal.IN_FLIGHT_MAX),
    ],
)
def test_offer(book: OfferBook, refusal: Refusal | None) -> None:
    assert refuse_offer(waiting(), book, NOW) is refusal


def test_offer_excluded_or_broken() -> None:
    book = offer_book()
    assert refuse_offer(waiting(excluded="offer:vendor/m"), book, NOW) is Refusal.EXCLUDED
    book.breaker.on_end("x", Outcome.TARGET_FAILED, SETTINGS, NOW)
    assert refuse_offer(waiting(), book, NOW) is Refusal.BREAKER_OPEN
