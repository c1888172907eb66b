"""What operators see: the series of decisions and prices."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import pytest

from runtime.ledger.rows import Ending, Settle
from runtime.observer import Sample
from runtime.observers.gateway_series import HOUR_S, PrometheusMetrics
from runtime.targets.connection_faults import ConnectionFaults, Fault
from scheduler.decision import Buy, Dispatch, Outcome, Reason, Refusal, Reject
from scheduler.pool.circuit_breaker import CLOSED, BreakerState, Condition
from scheduler.settings import Settings
from scheduler.snapshot import Limit, OfferView, PoolView, Snapshot
from scheduler.state_machine import Scheduler
from tests.runtime.jobs import made_job
from tests.runtime.parts import MODEL, POOL
from tests.runtime.wire.bodies import chat
from tests.scheduler.given import arrival, at_offer, local

EMPTY = Scheduler(Settings()).snapshot(0.0)
NOW = 0.0


def _read(metrics: PrometheusMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def _sample(
    snapshot: Snapshot = EMPTY,
    limits: Mapping[str, int] | None = None,
    faults: Mapping[tuple[str, Fault], int] | None = None,
    config_is_refused: bool = False,
    now_s: float = NOW,
) -> Sample:
    return Sample(snapshot, limits or {}, faults or {}, config_is_refused, now_s)


def _seen(snapshot: Snapshot, **limits: int) -> PrometheusMetrics:
    metrics = PrometheusMetrics()
    metrics.sampled(_sample(snapshot, limits))
    return metrics


def test_prices_are_told_per_hour_of_a_replica() -> None:
    # A million nano-USD per second is 3.60 USD per hour.
    pool = PoolView(
        MODEL,
        bid_price=1e6,
        admission_price=2e6,
        occupancy=0.75,
        step_s=0.1,
        prefill_token_s=0.001,
        decode_token_s=0.0,
    )
    seen = _seen(replace(EMPTY, pools=(pool,)))
    assert _read(seen, "baseload_bid_price_usd_per_hour", model=MODEL) == pytest.approx(3.6)
    assert _read(seen, "baseload_charge_usd_per_hour", model=MODEL) == pytest.approx(7.2)
    assert _read(seen, "baseload_occupancy_ratio", model=MODEL) == 0.75


def test_a_target_that_is_kept_away_from_has_a_series_until_it_serves_again() -> None:
    shut = Condition(BreakerState.PAUSED, Outcome.RATE_LIMITED, 12.5)
    offers = (
        OfferView(at_offer("v/m"), MODEL, 0, shut),
        OfferView(at_offer("v/n"), MODEL, 0, CLOSED),
    )
    seen = _seen(replace(EMPTY, offers=offers))
    name, labels = "baseload_target_shut_seconds", {"state": "paused", "cause": "rate_limited"}
    assert _read(seen, name, target="offer:v/m", **labels) == 12.5
    series = next(each for each in seen.registry.collect() if each.name == name)
    assert [sample.labels["target"] for sample in series.samples] == ["offer:v/m"]
    seen.sampled(_sample())
    assert _read(seen, name, target="offer:v/m", **labels) is None


def test_what_was_in_the_way_of_a_connection_is_counted() -> None:
    faults, metrics = ConnectionFaults(), PrometheusMetrics()
    for _ in range(3):
        faults.note("offer:v/m", "v:443", TimeoutError(), NOW)
    faults.note_stale("local:m")
    metrics.sampled(_sample(faults=faults.counts))
    name = "baseload_connection_faults"
    assert _read(metrics, name, target="offer:v/m", cause="timeout") == 3
    assert _read(metrics, name, target="local:m", cause="stale") == 1


def test_every_reason_to_refuse_and_every_bound_has_a_series() -> None:
    snapshot = replace(EMPTY, refusals=dict.fromkeys(Refusal, 3), limits=dict.fromkeys(Limit, 4))
    seen = _seen(snapshot, length_keys=5)
    assert {_read(seen, "baseload_refusals", refusal=each) for each in Refusal} == {3}
    assert {_read(seen, "baseload_limit_hits", limit=each) for each in Limit} == {4}
    assert _read(seen, "baseload_limit_hits", limit="length_keys") == 5


def _end(metrics: PrometheusMetrics, decision: Dispatch | Buy, cost_nano_usd: int) -> None:
    job = made_job(chat(model=MODEL))
    row = Settle(
        job.request_id, 1, 0, Ending.SETTLE, "ok", 7, 0, 3, cost_nano_usd, "target", "", 0, 1, 2
    )
    metrics.attempt_ended(job, decision, row)


def test_a_configuration_that_does_not_serve_is_told_until_one_does() -> None:
    metrics = PrometheusMetrics()
    for is_refused in (False, True, False):
        metrics.sampled(_sample(config_is_refused=is_refused))
        assert _read(metrics, "baseload_config_refused") == is_refused


def test_spill_can_be_compared_with_the_price_of_one_more_replica() -> None:
    metrics = PrometheusMetrics([POOL.model_copy(update={"cards_per_replica": 2})])
    assert _read(metrics, "baseload_replica_usd_per_hour", model=MODEL) == pytest.approx(0.1)
    assert _read(metrics, "baseload_spill_usd_last_hour", model=MODEL) == 0
    _end(metrics, Buy("r", at_offer("v/m"), Reason.SPILL_PRICE), 40_000_000)
    _end(metrics, Buy("s", at_offer("v/m"), Reason.SPILL_LATENCY), 50_000_000)
    _end(metrics, Dispatch("t", local("r1"), Reason.VALLEY), 70_000_000)
    now = time.monotonic()
    for at, spent in ((now, 0.09), (now + HOUR_S / 2, 0.09), (now + 1.1 * HOUR_S, 0)):
        snapshot = replace(EMPTY, spill_nano_last_hour=95_000_000)
        metrics.sampled(_sample(snapshot, now_s=at))
        told = _read(metrics, "baseload_spill_usd_last_hour", model=MODEL)
        assert told == pytest.approx(spent)
    assert _read(metrics, "baseload_spill_usd_counted") == pytest.approx(0.095)


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_in_the_series(reason: Reason) -> None:
    metrics = PrometheusMetrics()
    _end(metrics, Buy("r", at_offer("v/m"), reason), 5)
    labels = {"model": MODEL, "place": "offer", "reason": reason.value}
    assert _read(metrics, "baseload_attempts_total", **labels, outcome="ok") == 1
    metrics.decided(arrival("r", model=MODEL), Reject("r", reason, None))
    assert _read(metrics, "baseload_rejected_total", model=MODEL, reason=reason.value) == 1
    metrics.decided(arrival("r", model=MODEL), Dispatch("r", local("r1"), reason))
    assert _read(metrics, "baseload_rejected_total", model=MODEL, reason=reason.value) == 1
