"""Who comes first: classes and ageing, the off-peak lane, reserved room, and the unschedulable."""

from __future__ import annotations

import pytest

from scheduler.choose.admission_controller import SERVED_PER_EVENT_MAX, UNSCHEDULABLE_PER_TICK_MAX
from scheduler.decision import Action, Buy, Dispatch, Hold, Outcome, Reason, Reject
from scheduler.offer import Offer
from scheduler.snapshot import Limit
from scheduler.state_machine import Scheduler
from tests.scheduler.given import (
    MODEL,
    SETTINGS,
    Fixed,
    arrival,
    changed,
    local,
    offer,
    only,
    patient,
    replica,
    report,
    running,
)

ROOMY = changed(SETTINGS, admission={"kv_headroom": 0.0})


def served(actions: list[Action]) -> list[tuple[str, str]]:
    """Who was sent where, in this order."""
    return [(a.request_id, a.replica_id) for a in actions if isinstance(a, Dispatch)]


def hold(scheduler: Scheduler, request_id: str, now: float = 0.0, **more: object) -> None:
    asked = patient(request_id, **more)  # type: ignore[arg-type]
    assert scheduler.on_arrival(asked, now) == [Hold(request_id)]


# Classes


def test_the_first_class_is_served_first_and_the_batch_lane_last() -> None:
    scheduler = running(replicas=2)
    for n in range(2):
        scheduler.on_arrival(patient(f"q{n}"), 0.0)
    hold(scheduler, "batch", deadline_ms=60_000)
    for name, priority in (("last", 2), ("usual", 1), ("first", 0)):
        hold(scheduler, name, priority=priority)
    order = []
    for ended in ("q0", "first", "usual", "last"):
        order += [name for name, _ in served(scheduler.on_finish(ended, Outcome.OK, 0.1))]
    assert order == ["first", "usual", "last", "batch"]


@pytest.mark.parametrize(("ageing_ms", "next_"), [(1_000, "old"), (5_000, "young")])
def test_who_waits_long_moves_up_a_class(ageing_ms: int, next_: str) -> None:
    scheduler = running(settings=changed(SETTINGS, spill={"ageing_ms": ageing_ms}))
    scheduler.on_arrival(patient("q0"), 0.0)
    hold(scheduler, "old", priority=2)
    assert scheduler.on_tick(1.0) == []
    hold(scheduler, "young", 1.1)
    released = only(scheduler.on_finish("q0", Outcome.OK, 1.2))
    assert released.request_id == next_


# The off-peak lane


def test_the_batch_lane_fills_a_pool_only_so_far() -> None:
    scheduler = running(settings=changed(SETTINGS, spill={"valley_occupancy_max": 0.5}), replicas=2)
    batch = arrival("b1", deadline_ms=60_000)
    assert only(scheduler.on_arrival(batch, 0.0)).reason is Reason.VALLEY  # type: ignore[union-attr]
    hold(scheduler, "b2", deadline_ms=60_000)
    assert scheduler.on_tick(1.0) == []
    assert isinstance(only(scheduler.on_arrival(patient("q1"), 1.0)), Dispatch)
    scheduler.on_finish("q1", Outcome.OK, 2.0)
    released = only(scheduler.on_finish("b1", Outcome.OK, 2.0))
    assert (released.request_id, released.reason) == ("b2", Reason.VALLEY)  # type: ignore[union-attr]


def test_the_batch_lane_stays_out_while_capacity_has_a_price() -> None:
    scheduler = running()
    pool = scheduler._pools[MODEL]
    pool.bid.price = 0.001
    hold(scheduler, "b1", deadline_ms=60_000)
    released = only(scheduler.on_tick(1.0))  # the price is worked out again: nothing is asked for
    assert (pool.bid.price, released.request_id) == (0.0, "b1")


def crowded(*offers: Offer) -> Scheduler:
    """An off-peak request of 30 s waits for a pool that has no valley."""
    settings = changed(SETTINGS, spill={"offer_tok_s_assumed": 10.0})
    scheduler = running(*offers, settings=settings)
    scheduler.on_arrival(patient("q0"), 0.0)
    hold(scheduler, "b1", deadline_ms=30_000, output=50)
    return scheduler


def test_a_batch_request_is_bought_at_its_latest_moment_and_not_before() -> None:
    scheduler = crowded(offer())
    assert scheduler.on_tick(23.8) == []  # 30 s less 1 s to the first of 50 tokens, 5 s, 0.1 s
    bought = only(scheduler.on_tick(24.0))
    assert isinstance(bought, Buy)


def test_a_batch_request_that_may_not_leave_is_refused_at_its_deadline() -> None:
    scheduler = crowded()
    assert scheduler.on_tick(29.9) == []
    refused = only(scheduler.on_tick(30.0))
    assert isinstance(refused, Reject)
    assert refused.reason is Reason.QUEUE_TIMEOUT


# Room


def filled(*prompts: int) -> Scheduler:
    """One replica of 1,000 KV tokens for each of these prompts, which it already runs."""
    scheduler = Scheduler(ROOMY)
    for n, prompt in enumerate(prompts, 1):
        scheduler.on_replica_joined(replica(f"r{n}", kv=1_000), 0.0)
        scheduler.on_load_report(report(f"r{n}"), 0.0)
        sent = scheduler.on_arrival(patient(f"q{n}", prompt=prompt, output=1), 0.0)
        assert served(sent) == [(f"q{n}", f"r{n}")]
    return scheduler


def test_a_small_request_does_not_take_what_a_large_one_waits_for() -> None:
    scheduler = filled(600)
    hold(scheduler, "big", prompt=800)
    hold(scheduler, "small", prompt=10)
    assert scheduler.on_tick(0.1) == []
    released = scheduler.on_finish("q1", Outcome.OK, 0.2)
    assert served(released) == [("big", "r1")]


def test_a_small_request_may_go_where_the_large_one_does_not_wait() -> None:
    scheduler = filled(600, 700)
    hold(scheduler, "big", prompt=800)
    assert served(scheduler.on_arrival(patient("small", prompt=10), 0.0)) == [("small", "r2")]
    hold(scheduler, "bigger", prompt=850)
    hold(scheduler, "behind", prompt=10)  # only so many replicas are kept for those ahead
    assert served(scheduler.on_finish("q1", Outcome.OK, 0.2)) == [("big", "r1")]


def test_room_is_kept_only_until_there_is_some_elsewhere() -> None:
    scheduler = filled(600, 700)
    hold(scheduler, "big", prompt=800)
    assert scheduler.on_finish("q2", Outcome.OK, 0.1) == []  # kept for it is r1
    assert served(scheduler.on_tick(0.2)) == [("big", "r2")]


def test_a_caller_who_leaves_the_queue_makes_room_for_those_behind() -> None:
    scheduler = filled(600)
    hold(scheduler, "big", prompt=800)
    hold(scheduler, "small", prompt=10)
    scheduler.on_finish("big", Outcome.CLIENT_LEFT, 0.1)
    assert served(scheduler.on_tick(0.2)) == [("small", "r1")]


def test_an_event_sends_a_bounded_number() -> None:
    many = SERVED_PER_EVENT_MAX + 6
    scheduler = running()
    scheduler.on_arrival(patient("q0"), 0.0)
    for n in range(many):
        hold(scheduler, f"h{n:03}", prompt=1)
    wide = replica(max_num_seqs=200, kv=1_000_000)
    assert len(scheduler.on_replica_joined(wide, 0.1)) == SERVED_PER_EVENT_MAX
    assert len(scheduler.on_tick(0.2)) == 6


# Unschedulable


def test_who_waits_for_a_replica_blocks_nobody_and_is_reviewed_in_bounded_numbers() -> None:
    scheduler = running()
    for n in range(UNSCHEDULABLE_PER_TICK_MAX + 6):
        again = patient(f"x{n}", prompt=1)
        assert scheduler.on_retry(again, [local("r1")], 0.0) == [Hold(f"x{n}")]
    assert isinstance(only(scheduler.on_arrival(patient("q1"), 0.0)), Dispatch)
    assert scheduler.on_tick(0.1) == []
    scheduler.on_replica_joined(replica(max_num_seqs=200, generation=2, kv=100_000), 0.1)
    scheduler.on_load_report(report(generation=2), 0.1)
    assert len(scheduler.on_tick(0.2)) == UNSCHEDULABLE_PER_TICK_MAX
    assert len(scheduler.on_tick(0.3)) == 6


def test_who_was_unschedulable_goes_on_ageing() -> None:
    settings = changed(SETTINGS, spill={"ageing_ms": 1_000}, circuit_breaker={"open_ms": 1_500})
    scheduler = running(settings=settings, policy=Fixed())
    for n in range(2):
        scheduler.on_arrival(arrival(f"f{n}"), 0.0)
        scheduler.on_finish(f"f{n}", Outcome.TARGET_FAILED, 0.0)
    hold(scheduler, "low", priority=2)
    assert scheduler.on_tick(1.0) == []
    assert isinstance(only(scheduler.on_arrival(patient("probe"), 1.6)), Dispatch)
    scheduler.on_finish("probe", Outcome.OK, 1.7)
    assert isinstance(only(scheduler.on_arrival(patient("q1"), 1.7)), Dispatch)
    assert scheduler.on_tick(1.8) == []  # schedulable again
    assert scheduler.on_tick(2.0) == []  # moved up
    hold(scheduler, "usual", 2.1)
    assert served(scheduler.on_finish("q1", Outcome.OK, 2.2)) == [("low", "r1")]


def test_the_queue_is_bounded_in_bytes() -> None:
    scheduler = running(settings=changed(SETTINGS, queue={"bytes_max": 1_000}))
    scheduler.on_arrival(patient("q0"), 0.0)
    hold(scheduler, "q1", body_bytes=600)
    refused = only(scheduler.on_arrival(arrival("q2", body_bytes=600), 0.0))
    assert isinstance(refused, Reject)
    assert refused.reason is Reason.QUEUE_FULL
    assert scheduler.snapshot(0.0).limits[Limit.QUEUE_BYTES] == 1
    hold(scheduler, "q3", body_bytes=400)


def test_a_batch_request_waits_out_the_restart_of_the_last_replica() -> None:
    """Others are bought at once; with hours left there is no need to."""
    scheduler = running(offer())
    scheduler.on_replica_left("r1", 0.0)
    hold(scheduler, "b1", deadline_ms=60_000)
    assert scheduler.on_tick(30.0) == []
    bought = only(scheduler.on_tick(60.0))
    assert isinstance(bought, Buy)


def test_a_priority_beyond_the_classes_counts_as_the_nearest() -> None:
    scheduler = running()
    scheduler.on_arrival(patient("q0"), 0.0)
    for request_id, priority in (("late", 9), ("usual", 1), ("first", -5)):
        hold(scheduler, request_id, priority=priority)
    order = []
    ended = "q0"
    for _ in range(3):
        (action,) = scheduler.on_finish(ended, Outcome.OK, 0.1)
        assert isinstance(action, Dispatch)
        order.append(ended := action.request_id)
    assert order == ["first", "usual", "late"]
