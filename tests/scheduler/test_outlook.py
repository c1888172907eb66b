from __future__ import annotations

import pytest

from scheduler.book import Book
from scheduler.outlook import Outlook, turnover_s
from scheduler.queue import Waiting
from scheduler.settings import Settings
from tests.scheduler.given import arrival, replica, report

SETTINGS = Settings(kv_headroom=0.0)


def full_book(streamed: int = 0, replica_id: str = "r1") -> Book:
    """Eight of eight slots taken, 100 tokens expected of each, 10 ms a step."""
    book = Book(replica(replica_id, running_max=8))
    for n in range(8):
        book.add(arrival(str(n), prompt=0, output=100, output_max=100))
        book.progress(str(n), streamed)
    book.take_report(report(replica_id, running=8, prefill_tok_s=1_000, decode_step_s=0.01), 0.0)
    return book


def wait_s(books: list[Book], ahead: int = 0, prompt: int = 0) -> float:
    outlook = Outlook.of(books, SETTINGS, 0.0)
    outlook.stand_behind(ahead, 0, 0)
    return outlook.wait_s(Waiting(arrival(prompt=prompt, output=1), 0.0))


def test_turnover_falls_from_twice_the_length_to_the_length() -> None:
    assert turnover_s(full_book(0), SETTINGS) == pytest.approx(2.0)
    assert turnover_s(full_book(25), SETTINGS) == pytest.approx(1.5)
    assert turnover_s(full_book(90), SETTINGS) == pytest.approx(1.0)


def test_slots_come_free_at_the_turnover_rate() -> None:
    assert wait_s([full_book(50)]) == pytest.approx(1 / 8)
    assert wait_s([full_book(50)], ahead=7) == pytest.approx(1.0)
    assert wait_s([full_book(50), full_book(50, "r2")], ahead=7) == pytest.approx(0.5)


def test_kv_binds_when_the_request_is_large() -> None:
    book = full_book(50)
    book.replica = replica(running_max=64, kv=1_000)  # 800 reserved, 200 free, 800 per second
    assert wait_s([book], prompt=599) == pytest.approx(0.5)


def test_scattered_free_kv_does_not_add_up() -> None:
    books = [full_book(50, name) for name in ("r1", "r2")]
    for book in books:
        book.replica = replica(book.replica.replica_id, running_max=64, kv=1_000)
    assert wait_s(books, prompt=599) == pytest.approx(0.25)


def test_prefill_binds_when_prompts_wait() -> None:
    book = full_book(50)
    outlook = Outlook.of([book], SETTINGS, 5.0)
    outlook.stand_behind(0, 0, 3_000)
    request = Waiting(arrival(prompt=500), 5.0)
    assert outlook.wait_s(request) == pytest.approx(3.0)
    assert outlook.first_token_at(request) == pytest.approx(5.0 + 3.0 + 0.5)


def test_the_engine_knows_of_more_waiting_prefill() -> None:
    book = full_book(50)
    book.take_report(report(running=8, prefill_waiting=2_000, prefill_tok_s=1_000), 0.0)
    assert wait_s([book]) == pytest.approx(2.0)


def test_an_engine_queue_counts_no_free_room() -> None:
    book = Book(replica(running_max=8))
    book.take_report(report(running=1, waiting=1, decode_step_s=0.01), 0.0)
    turnover = SETTINGS.output_tokens_assumed * 0.01
    assert wait_s([book]) == pytest.approx(turnover / 2)  # two requests of other schedulers


def test_nothing_known_still_gives_a_finite_wait() -> None:
    assert 0 <= wait_s([Book(replica())], ahead=100) < 1e6
