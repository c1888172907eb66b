"""What operators see: Prometheus series on their own bind, and one span per attempt.

Labels come from the configuration and from enums, never from a request's text, so their
number is bounded. Spans follow the OpenTelemetry environment variables; without them they
cost next to nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from itertools import chain
from threading import Thread
from wsgiref.simple_server import WSGIServer

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from models.money import NANO_PER_USD
from runtime.attempt_series import AttemptSeries
from runtime.ledger.rows import Settle
from runtime.limits import refusals
from runtime.request.job import Job
from runtime.request.record import RequestRecord
from runtime.request.trace_context import TraceContext
from runtime.targets.connection_faults import ConnectionFaults
from runtime.targets.pools import Pool
from runtime.targets.shut_targets import shut_targets
from scheduler.decision import Buy, Dispatch, Reason
from scheduler.learned.sliding_sum import SlidingSum
from scheduler.snapshot import PoolView, Snapshot

HOUR_S = 3600.0


class Telemetry:
    """All series of one gateway process, in a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._attempts = AttemptSeries(registry)
        self._rejected = Counter(
            "baseload_rejected",
            "Requests that the scheduler refused for want of room, time or a target",
            ("model", "reason"),
            registry=registry,
        )
        self._queue = Gauge(
            "baseload_queue",
            "Requests that wait for a target, or their tokens, prompt and expected answer",
            ("model", "unit"),
            registry=registry,
        )
        self._in_flight = Gauge(
            "baseload_in_flight",
            "Requests under way at a replica or an offer",
            ("target",),
            registry=registry,
        )
        self._kv = Gauge(
            "baseload_kv_tokens_reserved",
            "KV cache of a replica that the requests under way there are promised, in tokens",
            ("target",),
            registry=registry,
        )
        self._shut = Gauge(
            "baseload_target_shut_seconds",
            "Time until a target that is kept away from is tried again; 0 while a probe decides",
            ("target", "state", "cause"),
            registry=registry,
        )
        self._faults = Gauge(
            "baseload_connection_faults",
            "Connections to targets that could not be had since the start",
            ("target", "cause"),
            registry=registry,
        )
        self._limits = Gauge(
            "baseload_limit_hits",
            "How often each limit bit since the start",
            ("limit",),
            registry=registry,
        )
        self._refusals = Gauge(
            "baseload_refusals",
            "Times that a replica or an offer could not be chosen for a request, since the start",
            ("refusal",),
            registry=registry,
        )
        self._config_refused = Gauge(
            "baseload_config_refused",
            "1 while the configuration that was deployed last is not the one that serves",
            registry=registry,
        )
        self._pool_gauges(registry)
        self._spill: dict[str, SlidingSum] = {}  # settled for purchases, by model
        self._tracer = trace.get_tracer("baseload")
        self._server: tuple[WSGIServer, Thread] | None = None

    def _pool_gauges(self, registry: CollectorRegistry) -> None:
        """Spill against the price of one more replica, both per pool, says when to add one."""
        model = ("model",)
        self._bid_price = Gauge(
            "baseload_bid_price_usd_per_hour",
            "What an hour of one replica is worth to those who want it; 0 while everything fits",
            model,
            registry=registry,
        )
        self._admission_price = Gauge(
            "baseload_charge_usd_per_hour",
            "What of the bid price is charged at the present occupancy, per hour of one replica",
            model,
            registry=registry,
        )
        self._occupancy = Gauge(
            "baseload_occupancy_ratio",
            "Share of a pool that is taken, 0 to 1",
            model,
            registry=registry,
        )
        self._spill_last_hour = Gauge(
            "baseload_spill_usd_last_hour",
            "What purchases of the last hour were settled at, in USD",
            model,
            registry=registry,
        )
        self._replica_price = Gauge(
            "baseload_replica_usd_per_hour",
            "What an hour of one replica costs: its cards",
            model,
            registry=registry,
        )
        self._counted = Gauge(
            "baseload_spill_usd_counted",
            "Purchases of the last hour as caps count them, in USD: those that run at their most",
            registry=registry,
        )

    def start(self, pools: Iterable[Pool]) -> None:
        for pool in pools:
            nano_usd = pool.card_hour_nano_usd * pool.cards_per_replica
            self._replica_price.labels(pool.model).set(nano_usd / NANO_PER_USD)
            self._spill_last_hour.labels(pool.model).set(0)

    def serve(self, host: str, port: int) -> None:
        """From here on; OSError when the port is taken, and then nothing changes."""
        opened = start_http_server(port, addr=host, registry=self.registry)
        self.close()
        self._server = opened

    @property
    def url(self) -> str | None:
        """Where the metrics are, as of now; None: nowhere. The port is the one that was free."""
        if self._server is None:
            return None
        host, port = self._server[0].server_address[:2]
        shown = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{shown}:{port}/metrics"

    def close(self) -> None:
        if self._server is not None:
            server, thread = self._server
            server.shutdown()
            server.server_close()
            thread.join()
            self._server = None

    def config_refused(self, stands: bool) -> None:
        self._config_refused.set(int(stands))

    def rejected(self, model: str, reason: Reason) -> None:
        self._rejected.labels(model, reason.value).inc()

    def ended(self, job: Job, decision: Dispatch | Buy, row: Settle) -> None:
        _note(job.record, decision, row)
        outcome = row.outcome.partition(":")[0]
        place = decision.target.kind.value
        self._attempts.note(job.model, place, decision.reason, outcome, row)
        if isinstance(decision, Buy):
            spill = self._spill.setdefault(job.model, SlidingSum(HOUR_S))
            spill.add(row.cost_nano_usd, time.monotonic())
        parent = _parent(job.record.trace)
        span = self._tracer.start_span("chat", parent, start_time=job.arrived_ms * 1_000_000)
        if span.is_recording():
            span.set_attributes(
                {
                    "request_id": job.request_id,
                    "model_id": job.model,
                    "target": str(decision.target),
                    "route_reason": decision.reason.value,
                    "prompt_tokens": row.prompt_tokens or 0,
                    "completion_tokens": row.completion_tokens or 0,
                    "cost_nano_usd": row.cost_nano_usd,
                    "outcome": outcome,
                }
            )
            if job.record.client_request_id is not None:
                span.set_attribute("client_request_id", job.record.client_request_id)
        span.end()

    def observe_connections(self, faults: ConnectionFaults) -> None:
        for (target, fault), times in faults.counts.items():
            self._faults.labels(target, fault.value).set(times)

    def observe(self, snapshot: Snapshot, limits: Mapping[str, int], now: float) -> None:
        """``limits`` are counters from outside the scheduler."""
        for queue in snapshot.queues:
            self._queue.labels(queue.model, "requests").set(queue.requests)
            self._queue.labels(queue.model, "tokens").set(queue.tokens)
        self._in_flight.clear()
        self._kv.clear()
        for replica in snapshot.replicas:
            self._in_flight.labels(str(replica.target)).set(replica.in_flight)
            self._kv.labels(str(replica.target)).set(replica.kv_tokens_reserved)
        for offer in snapshot.offers:
            self._in_flight.labels(str(offer.target)).set(offer.in_flight)
        self._shut.clear()
        for target, condition in shut_targets(snapshot).items():
            cause = condition.cause.value if condition.cause is not None else ""
            self._shut.labels(target, condition.state.value, cause).set(condition.left_s)
        for pool in snapshot.pools:
            self._observe_pool(pool)
        for model, spill in self._spill.items():
            spill.forget(now)
            self._spill_last_hour.labels(model).set(spill.total / NANO_PER_USD)
        self._counted.set(snapshot.spill_nano_last_hour / NANO_PER_USD)
        for refusal, times in snapshot.refusals.items():
            self._refusals.labels(refusal.value).set(times)
        for limit, hits in snapshot.limits.items():
            self._limits.labels(limit.value).set(hits)
        for name, hits in chain(refusals.items(), limits.items()):
            self._limits.labels(name).set(hits)

    def _observe_pool(self, pool: PoolView) -> None:
        per_hour = HOUR_S / NANO_PER_USD
        self._bid_price.labels(pool.model).set(pool.bid_price * per_hour)
        self._admission_price.labels(pool.model).set(pool.admission_price * per_hour)
        self._occupancy.labels(pool.model).set(pool.occupancy)


def _note(record: RequestRecord, decision: Dispatch | Buy, row: Settle) -> None:
    """For the request's line in the log, which is written when the answer is over, too."""
    record.attempts = row.attempt
    record.target, record.reason = str(decision.target), decision.reason.value
    record.cost_nano_usd += row.cost_nano_usd
    record.last = row


def _parent(trace: TraceContext | None) -> Context | None:
    """The caller's span as ours has it for a parent; None lets the tracer decide."""
    if trace is None:
        return None
    context = SpanContext(
        int(trace.trace_id, 16),
        int(trace.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(trace.flags),
    )
    return set_span_in_context(NonRecordingSpan(context))
