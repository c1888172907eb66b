"""What operators see: the series of decisions and prices, and the span of an attempt."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from runtime.ledger.rows import Ending, Settle
from runtime.request.job import Job
from runtime.request.trace_context import TraceContext
from runtime.targets.connection_faults import ConnectionFaults
from runtime.telemetry import HOUR_S, Telemetry
from scheduler.decision import Buy, Dispatch, Outcome, Reason, Refusal
from scheduler.pool.circuit_breaker import CLOSED, BreakerState, Condition
from scheduler.settings import Settings
from scheduler.snapshot import Limit, OfferView, PoolView, Snapshot
from scheduler.state_machine import Scheduler
from tests.runtime.jobs import made_job
from tests.runtime.parts import MODEL, POOL
from tests.runtime.wire.bodies import chat
from tests.scheduler.given import at_offer, local

EMPTY = Scheduler(Settings()).snapshot(0.0)
NOW = 0.0


def _read(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


def _seen(snapshot: Snapshot, **limits: int) -> Telemetry:
    telemetry = Telemetry()
    telemetry.observe(snapshot, limits, NOW)
    return telemetry


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
    seen.observe(EMPTY, {}, NOW)
    assert _read(seen, name, target="offer:v/m", **labels) is None


def test_what_was_in_the_way_of_a_connection_is_counted() -> None:
    faults, telemetry = ConnectionFaults(), Telemetry()
    for _ in range(3):
        faults.note("offer:v/m", "v:443", TimeoutError(), NOW)
    faults.note_stale("local:m")
    telemetry.observe_connections(faults)
    name = "baseload_connection_faults"
    assert _read(telemetry, name, target="offer:v/m", cause="timeout") == 3
    assert _read(telemetry, name, target="local:m", cause="stale") == 1


def test_every_reason_to_refuse_and_every_bound_has_a_series() -> None:
    snapshot = replace(EMPTY, refusals=dict.fromkeys(Refusal, 3), limits=dict.fromkeys(Limit, 4))
    seen = _seen(snapshot, length_keys=5)
    assert {_read(seen, "baseload_refusals", refusal=each) for each in Refusal} == {3}
    assert {_read(seen, "baseload_limit_hits", limit=each) for each in Limit} == {4}
    assert _read(seen, "baseload_limit_hits", limit="length_keys") == 5


def _end(
    telemetry: Telemetry, decision: Dispatch | Buy, cost_nano_usd: int, job: Job | None = None
) -> Job:
    job = job or made_job(chat(model=MODEL))
    row = Settle(
        job.request_id, 1, 0, Ending.SETTLE, "ok", 7, 0, 3, cost_nano_usd, "target", "", 0, 1, 2
    )
    telemetry.ended(job, decision, row)
    return job


def test_spill_can_be_compared_with_the_price_of_one_more_replica() -> None:
    telemetry = Telemetry()
    telemetry.start([POOL.model_copy(update={"cards_per_replica": 2})])
    assert _read(telemetry, "baseload_replica_usd_per_hour", model=MODEL) == pytest.approx(0.1)
    assert _read(telemetry, "baseload_spill_usd_last_hour", model=MODEL) == 0
    _end(telemetry, Buy("r", at_offer("v/m"), Reason.SPILL_PRICE), 40_000_000)
    _end(telemetry, Buy("s", at_offer("v/m"), Reason.SPILL_LATENCY), 50_000_000)
    _end(telemetry, Dispatch("t", local("r1"), Reason.VALLEY), 70_000_000)
    now = time.monotonic()
    for at, spent in ((now, 0.09), (now + HOUR_S / 2, 0.09), (now + 1.1 * HOUR_S, 0)):
        telemetry.observe(replace(EMPTY, spill_nano_last_hour=95_000_000), {}, at)
        told = _read(telemetry, "baseload_spill_usd_last_hour", model=MODEL)
        assert told == pytest.approx(spent)
    assert _read(telemetry, "baseload_spill_usd_counted") == pytest.approx(0.095)


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_in_the_series_and_in_the_span(reason: Reason) -> None:
    telemetry, spans = Telemetry(), InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    telemetry._tracer = provider.get_tracer("test")
    job = _end(telemetry, Buy("r", at_offer("v/m"), reason), 5)
    labels = {"model": MODEL, "place": "offer", "reason": reason.value}
    assert _read(telemetry, "baseload_attempts_total", **labels, outcome="ok") == 1
    (span,) = spans.get_finished_spans()
    told: dict[str, Any] = dict(span.attributes or {})
    assert told["route_reason"] == reason.value
    assert (told["request_id"], told["cost_nano_usd"]) == (job.request_id, 5)
    telemetry.rejected(MODEL, reason)
    assert _read(telemetry, "baseload_rejected_total", model=MODEL, reason=reason.value) == 1
    provider.shutdown()


def test_a_span_is_the_child_of_its_callers() -> None:
    telemetry, spans = Telemetry(), InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    telemetry._tracer = provider.get_tracer("test")
    job = made_job(chat(model=MODEL))
    job.record.trace = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", 1)
    job.record.client_request_id = "mine"
    _end(telemetry, Dispatch("r", local("r1"), Reason.LOCAL_FIT), 5, job)
    _end(telemetry, Dispatch("r", local("r1"), Reason.LOCAL_FIT), 5)
    child, alone = spans.get_finished_spans()
    assert child.parent is not None
    assert child.context.trace_id == int(job.record.trace.trace_id, 16)
    assert child.parent.span_id == int(job.record.trace.span_id, 16)
    assert child.parent.is_remote
    assert dict(child.attributes or {})["client_request_id"] == "mine"
    assert alone.parent is None
    provider.shutdown()


def test_the_series_move_to_another_port_and_stay_where_that_is_taken() -> None:
    telemetry = Telemetry()
    with socket.socket() as taken, socket.socket() as probe:
        for each in (taken, probe):
            each.bind(("127.0.0.1", 0))
        first, second = (each.getsockname()[1] for each in (probe, taken))
        taken.listen()
        probe.close()
        telemetry.serve("127.0.0.1", first)
        with pytest.raises(OSError, match="in use"):
            telemetry.serve("127.0.0.1", second)
        assert _scrape(first)
    telemetry.serve("127.0.0.1", second)
    assert _scrape(second)
    with pytest.raises(URLError):
        _scrape(first)
    telemetry.close()
    telemetry.close()  # nothing is open


def _scrape(port: int) -> bytes:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return bytes(answer.read())
