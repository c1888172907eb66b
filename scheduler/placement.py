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


def predicted_work(arrival: Arrival, book: Book) -> int:
    """Prefill tokens to be done, times the requests that share the batch (LMetric, arXiv
    2603.15202). Counts, not seconds: a replica that happened to measure itself slow in its
    first steps would get no work, and so never measure anything else."""
    prefill_tokens = book.prefill_tokens_waiting + arrival.prompt_tokens
    return prefill_tokens * (book.in_flight + book.foreign_requests + 1)


def least_work(arrival: Arrival, free: Iterable[Book], settings: Settings) -> Book:
    """Equal work goes to the replica that prefills faster, where cards differ."""
    return min(
        free,
        key=lambda book: (
            predicted_work(arrival, book),
            -book.prefill_tok_s(settings),
            book.replica.replica_id,
        ),
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
