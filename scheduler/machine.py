"""The state machine: events and ``now`` in, actions out.

It owns the books, the queues and the counters, and applies what ``policy`` decides. An attempt
gets exactly one Dispatch, Buy or Reject, perhaps after a Hold; its id may come back only after
``on_finish``. A tick reviews every held request; any other event only those in front, for which
room may have come free.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from scheduler.arrival import Arrival
from scheduler.book import Book
from scheduler.breaker import Breaker, BreakerState
from scheduler.decision import (
    Action,
    Dispatch,
    Hold,
    Outcome,
    Reason,
    Refusal,
    Reject,
)
from scheduler.offer import Offer
from scheduler.offer_book import OfferBook
from scheduler.outlook import Outlook
from scheduler.policy import Final, decide, overflow
from scheduler.pool import Pool
from scheduler.queue import Waiting
from scheduler.replica import LoadReport, Replica
from scheduler.settings import Settings
from scheduler.snapshot import Limit, OfferView, QueueView, ReplicaView, Snapshot

# Held requests that one event reviews when none of them blocks; the tick reviews the rest.
REVIEWS_PER_EVENT_MAX = 64


class Scheduler:
    def __init__(self, settings: Settings, offers: Sequence[Offer] = ()) -> None:
        self._settings = settings
        self._pools: dict[str, Pool] = {}
        self._replicas: dict[str, Book] = {}
        self._offers: dict[str, OfferBook] = {}
        self._breakers: dict[str, Breaker] = {}  # by provider
        self._held: dict[str, Pool] = {}
        self._placed: dict[str, Book | OfferBook] = {}
        self._reasons: Counter[Reason] = Counter()
        self._refusals: Counter[Refusal] = Counter()
        self._limits: Counter[Limit] = Counter()
        self._set_offers(offers)

    # Configuration and membership

    def set_settings(self, settings: Settings, offers: Sequence[Offer], now: float) -> None:
        """Reconfigure. Books, breakers and queues live on; the next tick reviews who is held."""
        self._settings = settings
        self._set_offers(offers)

    def _set_offers(self, offers: Sequence[Offer]) -> None:
        self._breakers = {o.provider: self._breakers.get(o.provider, Breaker()) for o in offers}
        known, self._offers = self._offers, {}
        for pool in self._pools.values():
            pool.offers = []
        for offer in offers:
            old = known.get(offer.offer_id)
            requests = old.requests if old is not None else set()
            book = OfferBook(offer, self._breakers[offer.provider], requests)
            self._offers[offer.offer_id] = book
            self._pool(offer.model).offers.append(book)

    def _pool(self, model: str) -> Pool:
        return self._pools.setdefault(model, Pool(model))

    def on_replica_joined(self, replica: Replica, now: float) -> list[Action]:
        """A boot, or a renewal. An older generation than the known one is a late message."""
        book = self._replicas.get(replica.replica_id)
        if book is not None and replica.generation < book.replica.generation:
            self._limits[Limit.REPLICA_OUTDATED] += 1
            return []
        boot = (replica.generation, replica.model)
        if book is not None and boot == (book.replica.generation, book.replica.model):
            book.replica = replica
        else:
            self.on_replica_left(replica.replica_id, now)
            book = self._replicas[replica.replica_id] = Book(replica)
        pool = self._pool(replica.model)
        pool.had_replica = True
        pool.replicas[replica.replica_id] = book
        return self._review_front(pool, now)[0]

    def on_replica_left(self, replica_id: str, now: float) -> list[Action]:
        """Forget it. Its requests still end by ``on_finish``; the next tick reviews who waits."""
        book = self._replicas.pop(replica_id, None)
        if book is not None:
            book.is_alive = False
            del self._pools[book.replica.model].replicas[replica_id]
        return []

    # The life of a request

    def on_arrival(self, arrival: Arrival, now: float) -> list[Action]:
        return self._admit(Waiting(arrival, now), now)

    def on_retry(self, arrival: Arrival, failed_target: str, now: float) -> list[Action]:
        """As ``on_arrival``, after ``on_finish`` of the first attempt; not to the same target."""
        replica = self._replicas.get(failed_target.removeprefix("local:"))
        excluded = replica.incarnation if replica is not None else failed_target
        return self._admit(Waiting(arrival, now, excluded), now)

    def on_progress(self, request_id: str, tokens_out: int, now: float) -> None:
        book = self._placed.get(request_id)
        if isinstance(book, Book):
            book.progress(request_id, tokens_out)

    def on_finish(self, request_id: str, outcome: Outcome, now: float) -> list[Action]:
        pool = self._held.pop(request_id, None)
        if pool is not None:
            pool.queue.remove(request_id)
            return self._review_front(pool, now)[0]
        book = self._placed.pop(request_id, None)
        if book is None:
            return []
        book.remove(request_id)
        if book.breaker.on_end(request_id, outcome, self._settings, now):
            self._limits[Limit.BREAKER_OPENED] += 1
        if isinstance(book, Book):
            return self._review_front(self._pools[book.replica.model], now)[0]
        return []

    def on_load_report(self, report: LoadReport, now: float) -> list[Action]:
        book = self._replicas.get(report.replica_id)
        if book is None or report.generation != book.replica.generation:
            self._limits[Limit.REPORT_UNKNOWN] += 1
            return []
        if not book.take_report(report, now):
            self._limits[Limit.REPORT_ABSURD] += 1
            return []
        return self._review_front(self._pools[book.replica.model], now)[0]

    def on_tick(self, now: float) -> list[Action]:
        actions: list[Action] = []
        for pool in self._pools.values():
            if pool.queue:
                actions += self._review_all(pool, now)
        return actions

    # Admission and review

    def _admit(self, waiting: Waiting, now: float) -> list[Action]:
        arrival = waiting.arrival
        if arrival.request_id in self._held or arrival.request_id in self._placed:
            raise ValueError(f"request {arrival.request_id!r} has not finished")
        # No pool is kept for a name that nothing serves: callers could make up any number.
        pool = self._pools.get(arrival.model) or Pool(arrival.model)
        actions, outlook = self._review_front(pool, now)
        if outlook is not None:
            queue = pool.queue
            outlook.stand_behind(len(queue), queue.kv_tokens, queue.prompt_tokens)
        action, outlook = decide(waiting, pool, outlook, self._settings, now)
        if action is None and (limit := self._queue_limit(waiting, pool)):
            self._limits[limit] += 1
            action = overflow(waiting, pool, outlook, self._settings, now)
        if action is not None:
            self._apply(action, arrival)
            return [*actions, action]
        pool.queue.add(waiting)
        self._held[arrival.request_id] = pool
        return [*actions, Hold(arrival.request_id)]

    def _queue_limit(self, waiting: Waiting, pool: Pool) -> Limit | None:
        if not pool.queue.has_requests_room(self._settings):
            return Limit.QUEUE_REQUESTS
        if not pool.queue.has_tokens_room(waiting, self._settings):
            return Limit.QUEUE_TOKENS
        return None

    def _review_front(self, pool: Pool, now: float) -> tuple[list[Action], Outlook | None]:
        """Serve from the front up to the first request that blocks; its outlook if there is one."""
        ended: list[Final] = []
        outlook = None
        for reviewed, waiting in enumerate(pool.queue.in_order()):
            action, outlook = decide(waiting, pool, None, self._settings, now)
            if action is not None:
                self._apply(action, waiting.arrival)
                ended.append(action)
            if outlook is not None or reviewed + 1 - len(ended) >= REVIEWS_PER_EVENT_MAX:
                break
        return self._unqueue(ended, pool), outlook

    def _review_all(self, pool: Pool, now: float) -> list[Action]:
        ended: list[Final] = []
        outlook: Outlook | None = None
        for waiting in pool.queue.in_order():
            action, outlook = decide(waiting, pool, outlook, self._settings, now)
            if action is not None:
                self._apply(action, waiting.arrival)
                ended.append(action)
            elif outlook is not None:
                outlook.stand_behind(1, waiting.kv_tokens, waiting.arrival.prompt_tokens)
        return self._unqueue(ended, pool)

    def _unqueue(self, ended: Sequence[Final], pool: Pool) -> list[Action]:
        for action in ended:
            pool.queue.remove(action.request_id)
            del self._held[action.request_id]
        return list(ended)

    def _apply(self, action: Final, arrival: Arrival) -> None:
        self._reasons[action.reason] += 1
        for verdict in action.verdicts:
            if verdict.refusal is not None:
                self._refusals[verdict.refusal] += 1
        if isinstance(action, Reject):
            if action.reason is Reason.QUEUE_TIMEOUT:
                self._limits[Limit.QUEUE_WAIT] += 1
            return
        book: Book | OfferBook
        if isinstance(action, Dispatch):
            book = self._replicas[action.replica_id]
            book.add(arrival)
        else:
            book = self._offers[action.offer_id]
            book.add(arrival.request_id)
        book.breaker.on_start(arrival.request_id)
        self._placed[arrival.request_id] = book

    # Views

    def can_serve(self, model: str, now: float) -> bool:
        """Whether a request would be served: a live replica or a priced offer, not broken."""
        pool = self._pools.get(model)
        if pool is None:
            return False
        books: list[Book | OfferBook] = list(pool.replicas.values())
        books += [book for book in pool.offers if book.offer.price is not None]
        return any(book.breaker.state(now) is not BreakerState.OPEN for book in books)

    def snapshot(self, now: float) -> Snapshot:
        return Snapshot(
            queues=tuple(
                QueueView(pool.model, len(pool.queue), pool.queue.kv_tokens)
                for pool in self._pools.values()
            ),
            replicas=tuple(self._view(book, now) for book in self._replicas.values()),
            offers=tuple(
                OfferView(
                    book.offer.offer_id,
                    book.offer.model,
                    len(book.requests),
                    book.breaker.state(now),
                )
                for book in self._offers.values()
            ),
            reasons=dict(self._reasons),
            refusals=dict(self._refusals),
            limits=dict(self._limits),
        )

    def _view(self, book: Book, now: float) -> ReplicaView:
        return ReplicaView(
            replica_id=book.replica.replica_id,
            model=book.replica.model,
            generation=book.replica.generation,
            in_flight=book.in_flight,
            kv_tokens_reserved=book.kv_tokens_reserved,
            prefill_tokens_waiting=book.prefill_tokens_waiting,
            report_age_s=None if book.reported_at is None else now - book.reported_at,
            is_fresh=book.is_fresh(self._settings, now),
            breaker=book.breaker.state(now),
        )
