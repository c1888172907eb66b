from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.decision import Refusal, Verdict
from scheduler.pool.pool import Pool
from scheduler.pool.queued_request import QueuedRequest
from scheduler.pool.replica_state import ReplicaState
from scheduler.settings import AdmissionSettings, Settings, SpillSettings
from tests.scheduler.given import arrival, local, pool_of, replica, report
from tests.scheduler.sums import assert_pool_sums


@given(st.lists(st.tuples(st.sampled_from("jlcon"), st.integers(0, 7)), max_size=80))
def test_the_open_list_equals_a_naive_one(acts: list[tuple[str, int]]) -> None:
    pool, naive = pool_of(), set[str]()
    for act, n in acts:
        name = f"r{n}"
        state = pool.replicas.get(name)
        if act == "j" and state is None:
            pool.join(ReplicaState(replica(name, max_num_seqs=n + 1)))
            naive.add(name)
        elif act == "l" and state is not None:
            pool.leave(state)
            state.is_alive = False
            pool.reopen(state)  # the dead stay out
            naive.discard(name)
        elif act == "n" and state is not None:
            pool.renew(state, replica(name, max_num_seqs=2 * n + 1))
            naive.add(name)
        elif state is not None:
            (pool.close if act == "c" else pool.reopen)(state)
            (naive.discard if act == "c" else naive.add)(name)
        assert {each.replica.replica_id for each in pool.open} == naive
        assert len(pool.open) == len(naive)
        assert_pool_sums(pool)


def test_some_of_the_open_are_others_each_time_and_all_come_up() -> None:
    pool = pool_of(*(ReplicaState(replica(f"r{n}")) for n in range(10)))
    found = [{state.replica.replica_id for state in pool.some_open(4)} for _ in range(5)]
    assert all(len(each) == 4 for each in found)
    assert set.union(*found) == set(pool.replicas)
    assert len(pool.some_open(10)) == len(pool.some_open(99)) == 10
    assert [state.replica.replica_id for state in pool.some(2)] == ["r0", "r1"]


def test_occupancy_is_of_slots_or_of_kv_whichever_is_more() -> None:
    assert pool_of().occupancy == 1.0  # nothing is free where nothing is
    states = (
        ReplicaState(replica("r1", max_num_seqs=6)),
        ReplicaState(replica("r2", max_num_seqs=2, kv=30_000)),
    )
    pool = pool_of(*states)
    pool.in_flight = 2
    assert pool.occupancy == 0.25
    states[1].add(arrival(prompt=19_950, output=50, output_max=50), 0)
    pool.renew_price(Settings(admission=AdmissionSettings(kv_headroom=0.2)), 0.0)
    assert pool.occupancy == pytest.approx(0.5 / 0.8)


def test_capacity_is_a_share_of_each_replica_once_costs_were_measured() -> None:
    pool, prices = pool_of(ReplicaState(replica("r1")), ReplicaState(replica("r2"))), []
    for n in range(16):
        pool.bid.add(10.0, 0.25, n * 0.25)  # one engine second per second
    for n, load in enumerate([0.1, 1.0, 0.1]):
        pool.renew_price(Settings(spill=SpillSettings(target_load=load)), 4.0 + n)
        prices.append(pool.bid.price)
        pool.cost.is_measured = True
    assert prices[:2] == [0.0, 0.0]
    assert prices[2] > 0.0


def test_other_settings_hold_for_costs_that_nobody_measured_and_for_no_others() -> None:
    slow = Settings(admission=AdmissionSettings(decode_step_s_assumed=0.5))
    pool = Pool.of("moe", Settings())
    pool.configure(slow)
    assert (pool.cost.step_s, pool.cost.is_measured) == (0.5, False)
    pool.cost.learn(report(), report(busy_s=1.0, steps=20))
    measured = pool.cost
    pool.configure(Settings())
    assert pool.cost is measured
    assert pool.cost.step_s == pytest.approx(0.05, rel=0.01)


def test_a_replica_that_fell_silent_when_full_is_looked_at_again_each_tick() -> None:
    """Nothing else would put it back, if what filled it was the work of others."""
    state, settings = (
        ReplicaState(replica(max_num_seqs=1)),
        Settings(admission=AdmissionSettings(report_age_ms_max=1_000)),
    )
    pool = pool_of(state)
    state.take_report(report(running=1), 0.0)
    pool.close(state)
    pool.renew_price(settings, 1.0)
    assert pool.open == []
    pool.renew_price(settings, 1.1)
    assert pool.open == [state]


# Kept room


def reserving(*replicas: ReplicaState) -> tuple[Pool, list[QueuedRequest]]:
    """Each of three has found the replicas to be without KV room."""
    pool, members = pool_of(*replicas), [QueuedRequest(arrival(f"q{n}"), 0.0) for n in range(3)]
    for waiting in members:
        pool.queue.add(waiting, 0.0)
    return pool, members


def test_the_replica_with_the_most_room_is_kept_and_only_for_so_many() -> None:
    full, half = ReplicaState(replica("r1", kv=1_000)), ReplicaState(replica("r2", kv=1_000))
    full.add(arrival(prompt=900), 0)
    half.add(arrival(prompt=500), 0)
    pool, (one, two, _) = reserving(full, half)
    verdicts = [Verdict(local(name), Refusal.NO_KV_ROOM) for name in ("r1", "r2")]
    assert pool.reserve(one, verdicts)
    assert (one.reserved_replica_id, pool.reserved) == ("r2", {"r2": one})
    assert not pool.reserve(two, verdicts)


def test_whom_a_replica_is_kept_for_stands_aside_until_it_is_given_up() -> None:
    state = ReplicaState(replica())
    pool, (one, two, _) = reserving(state)
    assert pool.reserve(one, [Verdict(local("r1"), Refusal.ENGINE_QUEUE)])
    assert pool.queue.head(lambda _: True) is two
    pool.release_all()
    assert pool.queue.head(lambda _: True) is one
    assert pool.reserve(one, [Verdict(local("r1"), Refusal.ENGINE_QUEUE)])
    pool.leave(state)
    assert pool.queue.head(lambda _: True) is one
    assert_pool_sums(pool)


@pytest.mark.parametrize("refusal", [Refusal.NO_SLOT, Refusal.CONTEXT, Refusal.TOO_LATE])
def test_a_replica_that_lacks_more_than_room_is_not_kept(refusal: Refusal) -> None:
    pool, (one, *_) = reserving(ReplicaState(replica()))
    assert not pool.reserve(one, [Verdict(local("r1"), refusal)])
    assert pool.queue.head(lambda _: True) is one
