"""What becomes of one request, under a policy that always answers the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

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
from scheduler.offer import Offer
from scheduler.settings import Settings
from scheduler.state_machine import Scheduler
from scheduler.target import Target
from tests.scheduler.given import (
    SETTINGS,
    Fixed,
    arrival,
    at_offer,
    changed,
    local,
    offer,
    only,
    patient,
    replica,
    report,
    running,
)


def busy(*offers: Offer, settings: Settings = SETTINGS, policy: Fixed | None = None) -> Scheduler:
    """Its one slot is taken."""
    scheduler = running(*offers, settings=settings, policy=policy or Fixed())
    scheduler._admission._policy = Fixed()
    assert isinstance(only(scheduler.on_arrival(patient("q0"), 0.0)), Dispatch)
    scheduler._admission._policy = policy or Fixed()
    return scheduler


Final = Dispatch | Buy | Reject


def final(actions: list[Dispatch | Buy | Hold | Reject]) -> Final:
    action = only(actions)
    assert not isinstance(action, Hold)
    return action


def placed(actions: list[Dispatch | Buy | Hold | Reject]) -> Dispatch | Buy:
    action = final(actions)
    assert not isinstance(action, Reject)
    return action


# Every reason, reached once


def local_fit() -> Final:
    return final(running(offer()).on_arrival(arrival(), 0.0))


def held() -> Final:
    scheduler = busy()
    assert scheduler.on_arrival(patient("q1"), 0.1) == [Hold("q1")]
    return final(scheduler.on_finish("q0", Outcome.OK, 0.3))


def valley() -> Final:
    return final(running().on_arrival(arrival(deadline_ms=60_000), 0.0))


def spill_price() -> Final:
    scheduler = busy(offer(), policy=Fixed(admitted=False, at_once=True))
    return final(scheduler.on_arrival(patient("q1"), 0.0))


def spill_latency() -> Final:
    scheduler = busy(offer())
    assert scheduler.on_arrival(arrival("q1"), 0.0) == [Hold("q1")]
    assert scheduler.on_tick(0.89) == []  # of 2 s, an offer needs 1 s, and 0.1 s is margin
    return final(scheduler.on_tick(0.91))


def spill_no_replica() -> Final:
    return final(Scheduler(SETTINGS, [offer()]).on_arrival(arrival(), 0.0))


def substitute() -> Final:
    scheduler = busy(offer())
    scheduler.on_replica_joined(replica("r9", model="other"), 0.0)
    scheduler.on_load_report(report("r9"), 0.0)
    other = arrival("q2", model="other")
    return final(scheduler.on_arrival(replace(arrival("q2"), alternatives=(other,)), 0.0))


def must_leave() -> Final:
    scheduler = running(offer())
    return final(scheduler.on_arrival(replace(arrival(), is_local_allowed=False), 0.0))


def retry() -> Final:
    scheduler = running(replicas=2)
    scheduler.on_arrival(arrival(), 0.0)
    scheduler.on_finish("q1", Outcome.TARGET_FAILED, 0.1)
    return final(scheduler.on_retry(arrival(), [local("r1")], 0.1))


def queue_full() -> Final:
    scheduler = busy(settings=changed(SETTINGS, queue={"requests_max": 1}))
    assert scheduler.on_arrival(patient("q1"), 0.0) == [Hold("q1")]
    return final(scheduler.on_arrival(patient("q2"), 0.0))


def queue_timeout() -> Final:
    scheduler = busy()
    assert scheduler.on_arrival(patient("q1"), 0.0) == [Hold("q1")]
    return final(scheduler.on_tick(10.0))


def spill_capped() -> Final:
    scheduler = busy(offer(), settings=changed(SETTINGS, spill={"usd_per_hour_max": "0"}))
    assert scheduler.on_arrival(arrival("q1"), 0.0) == [Hold("q1")]
    assert scheduler.on_tick(1.0) == scheduler.on_tick(9.9) == []
    return final(scheduler.on_tick(10.0))


def no_target() -> Final:
    return final(Scheduler(SETTINGS, [offer(at=None)]).on_arrival(arrival(), 0.0))


def context_too_long() -> Final:
    return final(running(offer()).on_arrival(arrival(prompt=8_000), 0.0))


R1, R2, OFFER = local("r1"), local("r2"), at_offer("vendor/m")
REACHED: dict[Reason, tuple[Callable[[], Final], dict[Target, Refusal | None]]] = {
    Reason.LOCAL_FIT: (local_fit, {R1: None}),
    Reason.HELD: (held, {R1: None}),
    Reason.VALLEY: (valley, {R1: None}),
    Reason.SPILL_PRICE: (spill_price, {R1: Refusal.NO_SLOT, OFFER: None}),
    Reason.SPILL_LATENCY: (spill_latency, {R1: Refusal.NO_SLOT, OFFER: None}),
    Reason.SPILL_NO_REPLICA: (spill_no_replica, {OFFER: None}),
    Reason.SUBSTITUTE: (substitute, {R1: Refusal.NO_SLOT, local("r9"): None}),
    Reason.MUST_LEAVE: (must_leave, {R1: Refusal.NOT_ALLOWED, OFFER: None}),
    Reason.RETRY: (retry, {R1: Refusal.EXCLUDED, R2: None}),
    Reason.QUEUE_FULL: (queue_full, {R1: Refusal.NO_SLOT}),
    Reason.QUEUE_TIMEOUT: (queue_timeout, {R1: Refusal.NO_SLOT}),
    Reason.SPILL_CAPPED: (spill_capped, {R1: Refusal.NO_SLOT, OFFER: Refusal.SPEND_CAP}),
    Reason.NO_TARGET: (no_target, {OFFER: Refusal.PRICE_UNKNOWN}),
    Reason.CONTEXT_TOO_LONG: (context_too_long, {R1: Refusal.CONTEXT, OFFER: Refusal.CONTEXT}),
}


# A rival is asked, and a twin goes on, without another decision: the gateway tells these reasons.
TOLD_BY_THE_GATEWAY = (Reason.HEDGE, Reason.CONTINUED)


@pytest.mark.parametrize("reason", [each for each in Reason if each not in TOLD_BY_THE_GATEWAY])
def test_every_reason_with_the_verdict_on_each_candidate(reason: Reason) -> None:
    reach, verdicts = REACHED[reason]
    action = reach()
    assert action.reason is reason
    assert {verdict.target: verdict.refusal for verdict in action.verdicts} == verdicts
    assert len(action.verdicts) == len(verdicts)


def test_decisions_and_refusals_are_counted() -> None:
    scheduler = running(offer(at=None), replicas=2, policy=Fixed())
    for n in range(2):
        scheduler.on_arrival(patient(f"q{n}"), 0.0)
    assert scheduler.on_arrival(patient("q2"), 0.0) == [Hold("q2")]
    scheduler.on_tick(10.0)
    view = scheduler.snapshot(10.0)
    assert view.reasons == {Reason.LOCAL_FIT: 2, Reason.QUEUE_TIMEOUT: 1}
    assert view.refusals[Refusal.PRICE_UNKNOWN] == 1
    assert view.refusals[Refusal.NO_SLOT] >= 2


# QueuedRequest and buying


def test_who_is_not_admitted_is_held_beside_free_room_and_bought_at_its_latest_moment() -> None:
    scheduler = running(offer(), policy=Fixed(admitted=False))
    assert scheduler.on_arrival(arrival("q1"), 0.0) == [Hold("q1")]
    assert scheduler.on_tick(0.89) == []
    bought = placed(scheduler.on_tick(0.91))
    assert (bought.target, bought.reason) == (OFFER, Reason.SPILL_PRICE)
    assert Verdict(R1, None) in bought.verdicts


def test_a_policy_that_never_buys_waits_to_the_end() -> None:
    scheduler = busy(offer(), policy=Fixed(late=False))
    assert scheduler.on_arrival(arrival("q1"), 0.0) == [Hold("q1")]
    assert scheduler.on_tick(9.9) == []
    assert final(scheduler.on_tick(10.0)).reason is Reason.QUEUE_TIMEOUT


def test_an_offer_without_room_is_asked_again_soon() -> None:
    scheduler = busy(offer(in_flight_max=1))
    for name in ("q1", "q2"):
        assert scheduler.on_arrival(arrival(name), 0.0) == [Hold(name)]
    assert [a.request_id for a in scheduler.on_tick(1.0)] == ["q1"]
    assert scheduler.on_finish("q1", Outcome.OK, 1.1) == []
    assert scheduler.on_tick(1.2) == []
    assert isinstance(final(scheduler.on_tick(1.3)), Buy)


def test_a_wait_that_outlasts_the_queue_is_bought() -> None:
    scheduler = busy(offer(), settings=changed(SETTINGS, queue={"wait_ms_max": 1_000}))
    assert scheduler.on_arrival(patient("q1"), 0.0) == [Hold("q1")]
    assert isinstance(final(scheduler.on_tick(1.0)), Buy)


def test_at_the_bound_buying_comes_before_refusing() -> None:
    scheduler = busy(offer(), settings=changed(SETTINGS, queue={"requests_max": 1}))
    assert scheduler.on_arrival(patient("q1"), 0.0) == [Hold("q1")]
    bought = placed(scheduler.on_arrival(patient("q2"), 0.0))
    assert (bought.target, bought.reason) == (OFFER, Reason.SPILL_LATENCY)


def measured(*offers: Offer, settings: Settings = SETTINGS) -> Scheduler:
    """An idle replica of eight slots, of which it is known that a step takes 0.1 s."""
    scheduler = Scheduler(settings, offers, Fixed())
    scheduler.on_replica_joined(replica(), 0.0)
    scheduler.on_load_report(report(), 0.0)
    scheduler.on_load_report(report(busy_s=200.0, steps=2_000, decoded_tokens=2_000), 0.0)
    return scheduler


def test_who_would_be_late_on_an_idle_replica_is_bought_at_once() -> None:
    bought = placed(measured(offer()).on_arrival(arrival(ttft_budget_ms=50), 0.0))
    assert (bought.target, bought.reason) == (OFFER, Reason.SPILL_LATENCY)
    assert Verdict(R1, Refusal.TOO_LATE) in bought.verdicts


@pytest.mark.parametrize("offers", [(), (offer(),)])
def test_late_is_better_than_never_and_keeps_nobody_behind_it(offers: tuple[Offer, ...]) -> None:
    scheduler = measured(*offers, settings=changed(SETTINGS, spill={"usd_per_hour_max": "0"}))
    for name in ("q1", "q2"):
        sent = placed(scheduler.on_arrival(arrival(name, ttft_budget_ms=50), 0.0))
        assert (sent.target, sent.reason) == (R1, Reason.LOCAL_FIT)


def test_what_must_not_leave_is_never_bought() -> None:
    """However much everything speaks for it."""
    pinned = arrival("q1", offers=frozenset(), ttft_budget_ms=0)
    for scheduler in (
        busy(offer(), policy=Fixed(admitted=False, at_once=True)),
        busy(offer(), settings=changed(SETTINGS, queue={"requests_max": 1})),
    ):
        assert scheduler.on_arrival(pinned, 0.0) == [Hold("q1")]
        assert scheduler.on_tick(5.0) == []
        timeout = final(scheduler.on_tick(10.0))
        assert timeout.reason is Reason.QUEUE_TIMEOUT
        assert Verdict(OFFER, Refusal.NOT_ALLOWED) in timeout.verdicts
    nowhere = final(Scheduler(SETTINGS, [offer()]).on_arrival(pinned, 0.0))
    assert nowhere.reason is Reason.NO_TARGET
