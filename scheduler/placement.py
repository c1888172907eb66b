"""Which of the targets that may take a request gets it: least work, or least money.

Ties go to the smaller name, so that the same inputs give the same decisions.
"""

from __future__ import annotations

from collections.abc import Iterable

from scheduler.arrival import Arrival
from scheduler.book import Book, output_tokens_expected
from scheduler.eligibility import refuse_offer
from scheduler.offer_book import OfferBook
from scheduler.queue import Waiting
from scheduler.settings import Settings


def predicted_work_s(arrival: Arrival, book: Book, settings: Settings) -> float:
    """Prefill still to be done, plus one decode step for each request that shares the batch."""
    prefill_tokens = book.prefill_tokens_waiting + arrival.prompt_tokens
    prefill_s = prefill_tokens / book.prefill_tok_s(settings)
    batch = book.in_flight + book.foreign_requests
    return prefill_s + batch * book.decode_step_s(settings)


def least_work(arrival: Arrival, free: Iterable[Book], settings: Settings) -> Book:
    return min(
        free,
        key=lambda book: (predicted_work_s(arrival, book, settings), book.replica.replica_id),
    )


def cheapest(waiting: Waiting, offers: Iterable[OfferBook], now: float) -> OfferBook | None:
    """The eligible offer with the least expected cost."""
    arrival = waiting.arrival
    best: tuple[int, str, OfferBook] | None = None
    for book in offers:
        price = book.offer.price
        if price is None or refuse_offer(waiting, book, now) is not None:
            continue
        nano_usd = price.cost_nano(arrival.prompt_tokens, 0, output_tokens_expected(arrival))
        if best is None or (nano_usd, book.offer.offer_id) < best[:2]:
            best = (nano_usd, book.offer.offer_id, book)
    return best[2] if best else None
