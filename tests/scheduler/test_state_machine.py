"""The events of the seam, one situation each."""

from __future__ import annotations

from scheduler.decision import (
    Buy,
    Dispatch,
    Hold,
    Outcome,
    Reason,
    Refusal,
    Reject,
    Verdict,
)
from scheduler.settings import AdmissionSettings, QueueSettings, Settings
from scheduler.snapshot import Limit
from scheduler.state_machine import Scheduler
from tests.scheduler.given import (
    SETTINGS,
    arrival,
    at_offer,
    local,
    offer,
    only,
    patient,
    price,
    replica,
    report,
    running,
)


def test_a_replica_with_room_serves_at_once() -> None:
    action = only(running().on_arrival(arrival(), 0.0))
    assert action == Dispatch("q1", local("r1"), Reason.LOCAL_FIT, (Verdict(local("r1"), None),))


def test_a_held_request_is_released_when_room_comes_free() -> None:
    scheduler = running()
    scheduler.on_arrival(patient("q1"), 0.0)
    assert scheduler.on_arrival(patient("q2"), 0.1) == [Hold("q2")]
    assert scheduler.on_tick(0.2) == []
    released = only(scheduler.on_finish("q1", Outcome.OK, 0.3))
    assert isinstance(released, Dispatch)
    assert (released.request_id, released.reason) == ("q2", Reason.HELD)


def test_each_event_that_may_bring_room_releases() -> None:
    scheduler = running(settings=Settings(admission=AdmissionSettings(ramp_requests=1)))
    scheduler.on_load_report(report(running=1, waiting=1), 0.0)
    assert scheduler.on_arrival(patient("q1"), 0.0) == [Hold("q1")]
    assert isinstance(only(scheduler.on_load_report(report(), 0.1)), Dispatch)
    assert scheduler.on_arrival(patient("q2"), 0.1) == [Hold("q2")]
    assert isinstance(only(scheduler.on_replica_joined(replica("r2"), 0.2)), Dispatch)


def test_progress_frees_prefill_room_at_the_tick() -> None:
    scheduler = running()
    scheduler.on_replica_joined(replica("r1", max_num_seqs=8), 0.0)
    scheduler.on_arrival(patient("q1", prompt=2_000), 0.0)
    assert scheduler.on_arrival(patient("q2", prompt=1_500), 0.0) == [Hold("q2")]
    scheduler.on_progress("q1", 1, 0.1)
    assert isinstance(only(scheduler.on_tick(0.2)), Dispatch)


def test_a_full_pool_holds_until_the_latest_sensible_moment_and_then_buys() -> None:
    scheduler = running(offer())
    scheduler.on_arrival(arrival("q1"), 0.0)
    for name, budget_ms in (("q2", 10), ("q3", 5_000)):
        asked = arrival(name, ttft_budget_ms=budget_ms)
        assert scheduler.on_arrival(asked, 0.0) == [Hold(name)]
    bought = only(scheduler.on_tick(0.01))
    assert bought == Buy(
        "q2",
        at_offer("vendor/m"),
        Reason.SPILL_LATENCY,
        (
            Verdict(local("r1"), Refusal.NO_SLOT),
            Verdict(at_offer("vendor/m"), None),
        ),
    )
    assert scheduler.on_tick(3.89) == []
    assert isinstance(only(scheduler.on_tick(3.91)), Buy)


def test_room_that_comes_in_time_is_not_bought_elsewhere() -> None:
    scheduler = running(offer())
    scheduler.on_arrival(arrival("q1"), 0.0)
    assert scheduler.on_arrival(arrival("q2"), 0.0) == [Hold("q2")]
    assert isinstance(only(scheduler.on_finish("q1", Outcome.OK, 0.8)), Dispatch)
    assert scheduler.on_tick(2.0) == []


def test_the_cheapest_offer_with_capacity_is_bought() -> None:
    cheap = offer("cheap/m", provider="cheap", in_flight_max=1, at=price(1, 1))
    scheduler = Scheduler(SETTINGS, [offer(), cheap])
    bought = [only(scheduler.on_arrival(arrival(f"q{n}"), 0.0)) for n in range(2)]
    assert [a.offer_id for a in bought if isinstance(a, Buy)] == ["cheap/m", "vendor/m"]
    scheduler.on_progress("q0", 5, 0.0)
    assert scheduler.on_finish("q0", Outcome.OK, 0.1) == []
    again = only(scheduler.on_arrival(arrival("q2"), 0.1))
    assert isinstance(again, Buy)
    assert (again.offer_id, again.reason) == ("cheap/m", Reason.SPILL_NO_REPLICA)


def test_a_busy_offer_alone_is_waited_for() -> None:
    scheduler = Scheduler(SETTINGS, [offer(in_flight_max=1)])
    scheduler.on_arrival(arrival("q1"), 0.0)
    assert scheduler.on_arrival(arrival("q2"), 0.0) == [Hold("q2")]
    scheduler.on_finish("q1", Outcome.OK, 0.1)
    assert isinstance(only(scheduler.on_tick(0.2)), Buy)


def test_the_queue_is_bounded_in_requests() -> None:
    scheduler = running(settings=Settings(queue=QueueSettings(requests_max=2)))
    scheduler.on_arrival(patient("q0"), 0.0)
    for n in (1, 2):
        assert scheduler.on_arrival(patient(f"q{n}"), 0.0) == [Hold(f"q{n}")]
    rejected = only(scheduler.on_arrival(patient("q3"), 0.0))
    assert isinstance(rejected, Reject)
    assert rejected.reason is Reason.QUEUE_FULL
    assert rejected.retry_after_s == 16  # three of 0.1 s of prefill and 50 steps of 0.1 s
    assert scheduler.snapshot(0.0).limits == {Limit.QUEUE_REQUESTS: 1}


def test_the_queue_is_bounded_in_tokens() -> None:
    scheduler = running(settings=Settings(queue=QueueSettings(tokens_max=200)))
    scheduler.on_arrival(patient("q0"), 0.0)
    assert scheduler.on_arrival(patient("q1"), 0.0) == [Hold("q1")]
    rejected = only(scheduler.on_arrival(patient("q2"), 0.0))
    assert isinstance(rejected, Reject)
    assert rejected.reason is Reason.QUEUE_FULL
    assert scheduler.snapshot(0.0).limits == {Limit.QUEUE_TOKENS: 1}


def test_retry_after_is_capped() -> None:
    scheduler = running(settings=Settings(queue=QueueSettings(requests_max=1, retry_after_s_max=3)))
    for n in range(2):
        scheduler.on_arrival(patient(f"q{n}"), 0.0)
    rejected = only(scheduler.on_arrival(patient("q2"), 0.0))
    assert isinstance(rejected, Reject)
    assert rejected.retry_after_s == 3


def test_nothing_waits_longer_than_the_bound() -> None:
    scheduler = running()
    scheduler.on_arrival(patient("q0"), 0.0)
    for n in (1, 2):
        scheduler.on_arrival(patient(f"q{n}"), 0.0)
    assert scheduler.on_tick(9.9) == []
    rejected = scheduler.on_tick(10.0)
    assert [(a.request_id, a.reason) for a in rejected if isinstance(a, Reject)] == [
        ("q1", Reason.QUEUE_TIMEOUT),
        ("q2", Reason.QUEUE_TIMEOUT),
    ]
    view = scheduler.snapshot(10.0)
    assert view.limits == {Limit.QUEUE_WAIT: 2}
    assert (view.queue_requests, view.queue_tokens) == (0, 0)


def test_nothing_serves_the_model() -> None:
    scheduler = running()
    rejected = only(scheduler.on_arrival(arrival(model="unknown"), 0.0))
    assert rejected == Reject("q1", Reason.NO_TARGET, SETTINGS.queue.retry_after_s_default)
    assert len(scheduler.snapshot(0.0).queues) == 1  # names made up by callers leave no trace


def test_an_unknown_price_is_not_a_target() -> None:
    rejected = only(Scheduler(SETTINGS, [offer(at=None)]).on_arrival(arrival(), 0.0))
    assert isinstance(rejected, Reject)
    assert rejected.reason is Reason.NO_TARGET


def test_a_model_whose_replica_left_is_waited_for() -> None:
    scheduler = running()
    assert scheduler.on_replica_left("r1", 0.0) == []
    assert scheduler.on_replica_left("r1", 0.0) == []
    assert scheduler.on_arrival(arrival(), 0.0) == [Hold("q1")]
    assert scheduler.on_replica_joined(replica(generation=2), 1.0) == []
    assert isinstance(only(scheduler.on_tick(1.0)), Dispatch)
    assert scheduler.on_replica_left("r1", 1.0) == []
    assert scheduler.on_arrival(arrival("q2"), 1.0) == [Hold("q2")]
    timeout = only(scheduler.on_tick(11.0))
    assert timeout == Reject("q2", Reason.QUEUE_TIMEOUT, SETTINGS.queue.retry_after_s_default)


def test_a_held_request_is_bought_when_the_last_replica_leaves() -> None:
    scheduler = running(offer())
    scheduler.on_arrival(arrival("q1"), 0.0)
    scheduler.on_arrival(arrival("q2", ttft_budget_ms=9_000), 0.0)
    scheduler.on_replica_left("r1", 0.0)
    bought = only(scheduler.on_tick(0.1))
    assert isinstance(bought, Buy)
    assert bought.reason is Reason.SPILL_NO_REPLICA
    assert scheduler.on_finish("q1", Outcome.TARGET_FAILED, 0.2) == []


def test_a_request_above_every_context_is_refused_for_good() -> None:
    scheduler = running(offer())
    rejected = only(scheduler.on_arrival(arrival(prompt=8_000), 0.0))
    assert isinstance(rejected, Reject)
    assert (rejected.reason, rejected.retry_after_s) == (Reason.CONTEXT_TOO_LONG, None)


def test_a_request_above_every_context_is_refused_even_behind_a_queue() -> None:
    scheduler = running()
    scheduler.on_arrival(patient("q1"), 0.0)
    scheduler.on_arrival(patient("q2"), 0.0)
    rejected = only(scheduler.on_arrival(arrival("q3", prompt=8_000), 0.0))
    assert isinstance(rejected, Reject)
    assert rejected.reason is Reason.CONTEXT_TOO_LONG


def test_a_request_above_the_local_context_is_bought() -> None:
    bought = only(running(offer()).on_arrival(arrival(prompt=5_000), 0.0))
    assert isinstance(bought, Buy)
    assert bought.reason is Reason.SPILL_NO_REPLICA
