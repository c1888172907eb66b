"""Whether the sums that a state, a queue or a pool keeps are those of its parts."""

from __future__ import annotations

import pytest

from scheduler.pool.pool import Pool
from scheduler.pool.queue import Queue
from scheduler.pool.queued_request import QueuedRequest
from scheduler.pool.replica_state import ReplicaState


def assert_state_sums(state: ReplicaState) -> None:
    entries = state.entries.values()
    assert state.prompt_tokens == sum(e.prompt_tokens for e in entries)
    assert state.output_tokens == sum(e.output_tokens for e in entries)
    assert state.output_squares == sum(e.output_tokens**2 for e in entries)
    assert state.streamed_tokens == sum(e.streamed_tokens for e in entries)
    unread = sum(e.prefill_tokens for e in entries if e.streamed_tokens == 0)
    assert state.prefill_tokens_waiting == unread
    assert all(e.streamed_tokens <= e.output_tokens <= e.output_tokens_max for e in entries)


def waiting_in(queue: Queue) -> list[QueuedRequest]:
    return list(queue._waiting.values())


def assert_queue_sums(queue: Queue) -> None:
    waiting = waiting_in(queue)
    assert queue.kv_tokens_expected == sum(w.kv_tokens_expected for w in waiting)
    assert queue.work_s == pytest.approx(sum(w.work_s for w in waiting), abs=1e-9)
    placed = 0
    for priority_class, lanes in queue._classes.items():
        for tenant, lane in lanes.items():
            stand = [entry[4] for entry in lane.heap if entry[4].entry_number == entry[3]]
            mine = [
                w
                for w in waiting
                if (w.priority_class, w.arrival.tenant) == (priority_class, tenant)
            ]
            assert sorted(w.number for w in stand) == [w.number for w in mine if w.entry_number]
            assert lane.live == len(stand) > 0
            assert len(lane.heap) <= 2 * lane.live + 17
            placed += lane.live
    assert placed == sum(w.entry_number > 0 for w in waiting)


def assert_pool_sums(pool: Pool) -> None:
    states = list(pool.replicas.values())
    assert pool.in_flight == sum(state.in_flight for state in states)
    assert pool.slots == sum(state.replica.limits.max_num_seqs for state in states)
    assert all(pool.open[at] is pool.replicas[name] for name, at in pool._open_at.items())
    assert len(pool.open) == len(pool._open_at)
    for name, waiting in pool.reserved.items():
        assert waiting.reserved_replica_id == name in pool.replicas
        assert waiting in waiting_in(pool.queue)
    kept = [w for w in waiting_in(pool.queue) if w.reserved_replica_id is not None]
    assert len(kept) == len(pool.reserved)
    assert kept == [w for w in waiting_in(pool.queue) if not w.entry_number]
    assert_queue_sums(pool.queue)
    for state in states:
        assert_state_sums(state)
