"""Hard filters: which targets may take a request at this moment, and why the others may not.

They fail closed: what is unknown or in doubt is refused, and the first finding is the verdict.
A replica is filled only as far as its engine can start the request at once, so that the engine's
own queue stays near empty and whatever waits, waits where it can still go elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from scheduler.book import Book
from scheduler.decision import Refusal, Verdict
from scheduler.offer_book import OfferBook
from scheduler.pool import Pool
from scheduler.queue import Waiting
from scheduler.settings import Settings

# Refusals of a replica that end when it finishes work or reports again.
FULL = frozenset({Refusal.STALE_REPORT, Refusal.NO_SLOT, Refusal.NO_KV_ROOM, Refusal.ENGINE_QUEUE})

# The same few verdicts come again and again, one for each candidate of each request.
_verdict = lru_cache(maxsize=4096)(Verdict)


def refuse_replica(waiting: Waiting, book: Book, settings: Settings, now: float) -> Refusal | None:
    arrival, replica = waiting.arrival, book.replica
    if replica.model != arrival.model:
        return Refusal.OTHER_MODEL
    if arrival.context_tokens > replica.context_tokens_max:
        return Refusal.CONTEXT
    if not book.is_alive:
        return Refusal.DEAD
    if waiting.excluded is not None and book.incarnation == waiting.excluded:
        return Refusal.EXCLUDED
    if not book.breaker.allows(now):
        return Refusal.BREAKER_OPEN
    return _refuse_load(waiting, book, settings, now)


def _refuse_load(waiting: Waiting, book: Book, settings: Settings, now: float) -> Refusal | None:
    is_fresh = book.is_fresh(settings, now)
    if book.slots_free(settings, is_fresh) <= 0:
        is_full = book.in_flight >= book.replica.running_max
        return Refusal.NO_SLOT if is_fresh or is_full else Refusal.STALE_REPORT
    if is_fresh and book.engine_queues:
        return Refusal.ENGINE_QUEUE
    # A prompt above the batch limit is prefilled in pieces; it goes in when no other waits.
    if (
        book.prefill_tokens_waiting > 0
        and book.prefill_tokens_waiting + waiting.arrival.prompt_tokens
        > book.replica.batched_tokens_max
    ):
        return Refusal.ENGINE_QUEUE
    # An idle engine takes any request that fits its context, however long: else it never starts.
    is_idle = book.in_flight == 0 and (not is_fresh or book.foreign_requests == 0)
    if not is_idle and waiting.kv_tokens > book.kv_tokens_free(settings, is_fresh):
        return Refusal.NO_KV_ROOM
    return None


def refuse_offer(waiting: Waiting, book: OfferBook, now: float) -> Refusal | None:
    arrival, offer = waiting.arrival, book.offer
    if offer.model != arrival.model:
        return Refusal.OTHER_MODEL
    if arrival.context_tokens > offer.context_tokens_max:
        return Refusal.CONTEXT
    if offer.price is None:
        return Refusal.PRICE_UNKNOWN
    if book.target == waiting.excluded:
        return Refusal.EXCLUDED
    if len(book.requests) >= offer.in_flight_max:
        return Refusal.IN_FLIGHT_MAX
    if not book.breaker.allows(now):
        return Refusal.BREAKER_OPEN
    return None


@dataclass(frozen=True, slots=True)
class Survey:
    """The finding on every candidate of one request."""

    replicas: list[tuple[Book, Refusal | None]]
    offers: list[tuple[OfferBook, Refusal | None]]

    @property
    def free(self) -> list[Book]:
        return [book for book, refusal in self.replicas if refusal is None]

    @property
    def full(self) -> list[Book]:
        return [book for book, refusal in self.replicas if refusal in FULL]

    def refusals(self) -> list[Refusal | None]:
        return [refusal for _, refusal in self.replicas] + [refusal for _, refusal in self.offers]

    def verdicts(self) -> tuple[Verdict, ...]:
        return (
            *[_verdict(book.target, refusal) for book, refusal in self.replicas],
            *[_verdict(book.target, refusal) for book, refusal in self.offers],
        )


def survey(waiting: Waiting, pool: Pool, settings: Settings, now: float) -> Survey:
    return Survey(
        [(book, refuse_replica(waiting, book, settings, now)) for book in pool.replicas.values()],
        [(book, refuse_offer(waiting, book, now)) for book in pool.offers],
    )
