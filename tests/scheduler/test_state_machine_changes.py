"""Retries, failures, membership and reconfiguration, one situation each."""

from __future__ import annotations

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
from scheduler.pool.circuit_breaker import CLOSED
from scheduler.settings import QueueSettings, Settings
from scheduler.snapshot import Limit
from scheduler.state_machine import Scheduler
from scheduler.target import Target
from tests.scheduler.given import (
    SETTINGS,
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


def test_a_retry_avoids_the_failed_replica() -> None:
    scheduler = running(replicas=2)
    assert only(scheduler.on_arrival(arrival(), 0.0)).target == local("r1")  # type: ignore[union-attr]
    scheduler.on_finish("q1", Outcome.TARGET_FAILED, 0.1)
    retried = only(scheduler.on_retry(arrival(), [local("r1")], 0.1))
    assert isinstance(retried, Dispatch)
    assert (retried.replica_id, retried.reason) == ("r2", Reason.RETRY)
    assert Verdict(local("r1"), Refusal.EXCLUDED) in retried.verdicts


def test_a_retry_avoids_every_target_that_has_failed_it() -> None:
    """C6: from one to the other and back is no way."""
    offers = [offer(f"{name}/m", provider=name) for name in "ab"]
    scheduler = Scheduler(SETTINGS, offers)
    scheduler.on_replica_joined(replica(), 0.0)
    chosen = only(scheduler.on_arrival(arrival(), 0.1))
    failed: list[Target] = []
    while isinstance(chosen, Dispatch | Buy):
        failed.append(chosen.target)
        scheduler.on_finish("q1", Outcome.TARGET_FAILED, 0.2)
        chosen = only(scheduler.on_retry(arrival(), failed, 0.3))
    assert failed == [local("r1"), at_offer("a/m"), at_offer("b/m")]


def test_a_retry_avoids_the_failed_offer() -> None:
    scheduler = Scheduler(SETTINGS, [offer("a/m", provider="a"), offer("b/m", provider="b")])
    scheduler.on_arrival(arrival(), 0.0)
    scheduler.on_finish("q1", Outcome.TARGET_FAILED, 0.1)
    retried = only(scheduler.on_retry(arrival(), [at_offer("a/m")], 0.1))
    assert isinstance(retried, Buy)
    assert (retried.offer_id, retried.reason) == ("b/m", Reason.RETRY)


def test_a_retry_that_waits_for_a_reboot_blocks_nobody() -> None:
    scheduler = running()
    scheduler.on_arrival(arrival("q1"), 0.0)
    scheduler.on_finish("q1", Outcome.TARGET_FAILED, 0.1)
    assert scheduler.on_retry(patient("q1"), [local("r1")], 0.1) == [Hold("q1")]
    assert isinstance(only(scheduler.on_arrival(patient("q2"), 0.2)), Dispatch)
    assert scheduler.on_arrival(patient("q3"), 0.2) == [Hold("q3")]
    assert isinstance(only(scheduler.on_finish("q2", Outcome.OK, 0.3)), Dispatch)
    assert scheduler.on_replica_joined(replica(generation=2), 0.4) == []
    released = only(scheduler.on_tick(0.5))
    assert isinstance(released, Dispatch)
    assert (released.request_id, released.reason) == ("q1", Reason.RETRY)


def test_one_attempt_at_a_time() -> None:
    scheduler = running()
    scheduler.on_arrival(patient("q1"), 0.0)
    scheduler.on_arrival(patient("q2"), 0.0)
    for request_id in ("q1", "q2"):
        with pytest.raises(ValueError, match="has not finished"):
            scheduler.on_arrival(patient(request_id), 0.1)
        with pytest.raises(ValueError, match="has not finished"):
            scheduler.on_retry(patient(request_id), [local("r1")], 0.1)


def test_unknown_ids_are_no_ops() -> None:
    scheduler = running()
    before = scheduler.snapshot(0.0)
    scheduler.on_progress("nobody", 5, 0.0)
    assert scheduler.on_finish("nobody", Outcome.OK, 0.0) == []
    assert scheduler.snapshot(0.0) == before


def test_reports_of_strangers_and_absurd_reports_are_counted_and_release_nothing() -> None:
    scheduler = running()
    scheduler.on_arrival(patient("q1"), 0.0)
    scheduler.on_arrival(patient("q2"), 0.0)
    assert scheduler.on_load_report(report("stranger"), 0.1) == []
    assert scheduler.on_load_report(report(generation=2), 0.1) == []
    assert scheduler.on_load_report(report(decode_step_s=float("nan")), 0.1) == []
    view = scheduler.snapshot(0.1)
    assert view.limits == {Limit.REPORT_UNKNOWN: 2, Limit.REPORT_ABSURD: 1}
    assert not view.replicas[0].is_fresh


def test_a_new_generation_starts_an_empty_state_and_an_old_one_is_late() -> None:
    scheduler = running()
    scheduler.on_arrival(patient("q1"), 0.0)
    scheduler.on_replica_joined(replica(generation=3), 1.0)
    assert scheduler.snapshot(1.0).replicas[0].in_flight == 0
    scheduler.on_replica_joined(replica(generation=2), 1.0)
    view = scheduler.snapshot(1.0)
    assert view.replicas[0].generation == 3
    assert view.limits == {Limit.REPLICA_OUTDATED: 1}
    scheduler.on_arrival(patient("q2"), 1.0)
    scheduler.on_progress("q1", 5, 1.0)
    scheduler.on_finish("q1", Outcome.TARGET_FAILED, 1.0)
    assert scheduler.snapshot(1.0).replicas[0].in_flight == 1


def test_a_renewal_keeps_the_state() -> None:
    scheduler = running()
    scheduler.on_arrival(patient("q1"), 0.0)
    scheduler.on_replica_joined(replica("r1", max_num_seqs=2), 1.0)
    assert scheduler.snapshot(1.0).replicas[0].in_flight == 1
    assert isinstance(only(scheduler.on_arrival(patient("q2"), 1.0)), Dispatch)


def test_a_replica_that_changes_its_model_leaves_the_old_pool() -> None:
    scheduler = running()
    scheduler.on_replica_joined(replica("r1", model="other"), 1.0)
    assert scheduler.on_arrival(arrival("q1"), 1.0) == [Hold("q1")]
    assert isinstance(only(scheduler.on_arrival(arrival("q2", model="other"), 1.0)), Dispatch)


def test_settings_change_without_losing_the_states() -> None:
    scheduler = running(offer(in_flight_max=1))
    for name in ("q1", "q2"):
        scheduler.on_arrival(patient(name), 0.0)
    assert scheduler.on_arrival(arrival("q3", ttft_budget_ms=0), 0.0) == [Hold("q3")]
    assert isinstance(only(scheduler.on_tick(0.0)), Buy)
    wider = Settings(queue=QueueSettings(requests_max=1))
    scheduler.set_settings(wider, [offer(in_flight_max=2), offer("new/m", provider="new")], 0.1)
    view = scheduler.snapshot(0.1)
    assert [(o.target.id, o.in_flight) for o in view.offers] == [("vendor/m", 1), ("new/m", 0)]
    assert (view.replicas[0].in_flight, view.queue_requests) == (1, 1)
    scheduler.on_finish("q3", Outcome.OK, 0.2)
    assert [o.in_flight for o in scheduler.snapshot(0.2).offers] == [0, 0]
    scheduler.set_settings(wider, [], 0.3)
    rejected = only(scheduler.on_arrival(arrival("q4", ttft_budget_ms=0), 0.3))
    assert isinstance(rejected, Reject)
    assert rejected.reason is Reason.QUEUE_FULL


@pytest.mark.parametrize(("step_s", "wait_s"), [(0.1, 11), (0.5, 51)])
def test_rates_that_nobody_measured_are_assumed_as_they_are_set_now(
    step_s: float, wait_s: int
) -> None:
    """50 steps and a tenth of a second for its prompt, of the one that waits and of the new one."""
    full = changed(SETTINGS, queue={"requests_max": 1})
    scheduler = running(settings=full)
    scheduler.on_arrival(patient("q1"), 0.0)
    slow = changed(full, admission={"decode_step_s_assumed": step_s})
    scheduler.set_settings(slow, [], 0.1)
    assert scheduler.on_arrival(patient("q2"), 0.1) == [Hold("q2")]
    refused = only(scheduler.on_arrival(patient("q3"), 0.1))
    assert isinstance(refused, Reject)
    assert refused.retry_after_s == wait_s


def test_an_offer_that_is_taken_away_and_comes_back_keeps_its_limits() -> None:
    limited = offer(in_flight_max=1, requests_per_min_max=2)
    scheduler = Scheduler(SETTINGS, [limited])
    assert isinstance(only(scheduler.on_arrival(arrival("q1"), 0.0)), Buy)
    for offers in ([], [limited]):
        scheduler.set_settings(SETTINGS, offers, 1.0)
    assert scheduler.on_arrival(arrival("q2"), 1.0) == [Hold("q2")]
    scheduler.on_finish("q1", Outcome.OK, 2.0)
    assert isinstance(only(scheduler.on_tick(2.0)), Buy)
    scheduler.on_finish("q2", Outcome.OK, 3.0)
    for offers in ([], [limited]):
        scheduler.set_settings(SETTINGS, offers, 3.0)
    assert scheduler.on_arrival(arrival("q3"), 3.0) == [Hold("q3")]
    assert scheduler.on_tick(12.9) == []
    scheduler.set_settings(SETTINGS, [], 99.0)
    assert not scheduler._retired


def test_can_serve() -> None:
    assert not Scheduler(SETTINGS).can_serve("moe", 0.0)
    assert not Scheduler(SETTINGS, [offer(at=None)]).can_serve("moe", 0.0)
    assert Scheduler(SETTINGS, [offer()]).can_serve("moe", 0.0)
    scheduler = running()
    assert scheduler.can_serve("moe", 0.0)
    scheduler.on_replica_left("r1", 0.0)
    assert not scheduler.can_serve("moe", 0.0)


def test_snapshot() -> None:
    scheduler = running(offer())
    scheduler.on_arrival(arrival("q1", ttft_budget_ms=5_000), 0.0)
    scheduler.on_arrival(arrival("q2", ttft_budget_ms=5_000), 0.0)
    view = scheduler.snapshot(2.0)
    assert (view.queue_requests, view.queue_tokens) == (1, 150)
    (one,) = view.replicas
    assert (one.target.id, one.model, one.generation) == ("r1", "moe", 1)
    assert (one.in_flight, one.kv_tokens_reserved, one.prefill_tokens_waiting) == (1, 150, 100)
    assert (one.report_age_s, one.is_fresh, one.breaker) == (2.0, True, CLOSED)
    assert view.reasons == {Reason.LOCAL_FIT: 1}
    scheduler.on_replica_joined(replica("r2"), 2.0)
    assert scheduler.snapshot(2.0).replicas[1].report_age_s is None


def test_a_full_replica_that_grows_takes_more_at_once() -> None:
    scheduler = running()
    scheduler.on_arrival(patient("q1"), 0.0)
    assert scheduler.on_arrival(patient("q2"), 0.0) == [Hold("q2")]
    grown = only(scheduler.on_replica_joined(replica("r1", max_num_seqs=2), 0.1))
    assert grown.request_id == "q2"


def test_a_replica_full_of_others_work_takes_more_when_that_ends() -> None:
    scheduler = running()
    scheduler.on_replica_joined(replica(max_num_seqs=2), 0.0)
    scheduler.on_arrival(patient("q1"), 0.0)
    scheduler.on_load_report(report(running=2), 0.1)
    assert scheduler.on_arrival(patient("q2"), 0.2) == [Hold("q2")]
    assert scheduler.on_load_report(report(running=2), 0.3) == []
    assert isinstance(only(scheduler.on_load_report(report(running=1), 0.4)), Dispatch)


def test_the_costs_of_a_pool_are_learned_from_what_its_engines_count() -> None:
    """A step takes 50 ms, and 20 ms more for each token that it decodes."""
    scheduler, busy_s, decoded = running(), 0.0, 0
    for n in range(1, 200):
        tokens = n % 7 + 1
        busy_s, decoded = busy_s + 10 * (0.05 + 0.02 * tokens), decoded + 10 * tokens
        told = report(busy_s=busy_s, steps=10 * n, decoded_tokens=decoded)
        scheduler.on_load_report(told, n * 1.0)
    (view,) = scheduler.snapshot(60.0).pools
    assert (view.step_s, view.decode_token_s) == pytest.approx((0.05, 0.02), rel=0.02)


@pytest.mark.parametrize("busy_s", [float("nan"), float("inf"), 1e300, -1e300, 5e5])
def test_one_absurd_count_does_not_end_the_learning(busy_s: float) -> None:
    scheduler = running()
    pool = scheduler._pools["moe"]
    for seconds in (2.0, busy_s, 4.0):
        scheduler.on_load_report(report(busy_s=seconds, steps=40), 1.0)
    pool.cost.is_measured = False
    scheduler.on_load_report(report(busy_s=6.0, steps=60), 2.0)
    assert pool.cost.is_measured
