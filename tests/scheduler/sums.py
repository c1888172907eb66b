"""Whether the sums that a book, a queue or a pool keeps are those of its parts."""

from __future__ import annotations

import pytest

from scheduler.pool.pool import Pool
from scheduler.pool.queue import Queue, Waiting
from scheduler.pool.replica_state import Book


def assert_book_sums(book: Book) -> None:
    entries = book.entries.values()
    assert book.prompt_tokens == sum(e.prompt_tokens for e in entries)
    assert book.output_tokens == sum(e.output_tokens for e in entries)
    assert book.output_squares == sum(e.output_tokens**2 for e in entries)
    assert book.streamed_tokens == sum(e.streamed_tokens for e in entries)
    unread = sum(e.prefill_tokens for e in entries if e.streamed_tokens == 0)
    assert book.prefill_tokens_waiting == unread
    assert all(e.streamed_tokens <= e.output_tokens <= e.output_tokens_max for e in entries)


def waiting_in(queue: Queue) -> list[Waiting]:
    return list(queue._waiting.values())


def assert_queue_sums(queue: Queue) -> None:
    waiting = waiting_in(queue)
    assert queue.kv_tokens == sum(w.kv_tokens for w in waiting)
    assert queue.work_s == pytest.approx(sum(w.work_s for w in waiting), abs=1e-9)
    placed = 0
    for klass, lanes in queue._classes.items():
        for tenant, lane in lanes.items():
            stand = [entry[4] for entry in lane.heap if entry[4].place == entry[3]]
            mine = [w for w in waiting if (w.klass, w.arrival.tenant) == (klass, tenant)]
            assert sorted(w.number for w in stand) == [w.number for w in mine if w.place]
            assert lane.live == len(stand) > 0
            assert len(lane.heap) <= 2 * lane.live + 17
            placed += lane.live
    assert placed == sum(w.place > 0 for w in waiting)


def assert_pool_sums(pool: Pool) -> None:
    books = list(pool.replicas.values())
    assert pool.in_flight == sum(book.in_flight for book in books)
    assert pool.slots == sum(book.replica.running_max for book in books)
    assert all(pool.open[at] is pool.replicas[name] for name, at in pool._open_at.items())
    assert len(pool.open) == len(pool._open_at)
    for name, waiting in pool.reserved.items():
        assert waiting.reserves == name in pool.replicas
        assert waiting in waiting_in(pool.queue)
    kept = [w for w in waiting_in(pool.queue) if w.reserves is not None]
    assert len(kept) == len(pool.reserved)
    assert kept == [w for w in waiting_in(pool.queue) if not w.place]
    assert_queue_sums(pool.queue)
    for book in books:
        assert_book_sums(book)
