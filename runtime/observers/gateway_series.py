"""What operators see: the Prometheus series of one gateway.

Labels come from the configuration and from enums, never from a request's text, so their
number is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from prometheus_client import CollectorRegistry, Counter, Gauge

from models.money import NANO_PER_USD
from runtime.clock import SYSTEM, Clock
from runtime.ledger.rows import Settle
from runtime.observer import Observer, Sample
from runtime.observers.attempt_series import AttemptSeries
from runtime.observers.quality_series import QualitySeries
from runtime.request.job import Job
from runtime.request_limits import refusals
from runtime.targets.local_pools import LocalPool
from runtime.targets.shut_targets import shut_targets
from scheduler.arrival import Arrival
from scheduler.decision import Buy, Dispatch, Reject
from scheduler.learned.sliding_sum import SlidingSum
from scheduler.snapshot import PoolView, Snapshot

HOUR_S = 3600.0


class PrometheusMetrics(Observer):
    """All series of one gateway process, in a registry of their own."""

    def __init__(self, pools: Iterable[LocalPool] = (), clock: Clock = SYSTEM) -> None:
        registry = self.registry = CollectorRegistry()
        self._clock = clock
        self._attempts = AttemptSeries(registry)
        self._rejected = Counter(
            "baseload_rejected",
            "Requests that the scheduler refused for want of room, time or a target",
            ("model", "reason"),
            registry=registry,
        )
        self._other_models = Counter(
            "baseload_other_model_answers",
            "Answers of another model than the one that the target was asked for, as it says",
            ("target",),
            registry=registry,
        )
        self._queue = Gauge(
            "baseload_queue",
            "Requests that wait for a target, or their tokens, prompt and expected answer",
            ("model", "unit"),
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
        self._quality = QualitySeries(registry)
        self._target_gauges(registry)
        self._pool_gauges(registry)
        self._spill: dict[str, SlidingSum] = {}  # settled for purchases, by model
        for pool in pools:
            nano_usd = pool.card_hour_nano_usd * pool.cards_per_replica
            self._replica_price.labels(pool.model).set(nano_usd / NANO_PER_USD)
            self._spill_last_hour.labels(pool.model).set(0)

    def _target_gauges(self, registry: CollectorRegistry) -> None:
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

    def decided(self, arrival: Arrival, decision: Dispatch | Buy | Reject) -> None:
        if isinstance(decision, Reject):
            self._rejected.labels(arrival.model, decision.reason.value).inc()

    def other_model(self, job: Job, decision: Dispatch | Buy) -> None:
        self._other_models.labels(str(decision.target)).inc()

    def attempt_ended(self, job: Job, decision: Dispatch | Buy, row: Settle) -> None:
        outcome = row.outcome.partition(":")[0]
        self._attempts.note(job.model, decision.target.kind.value, decision.reason, outcome, row)
        if isinstance(decision, Buy):
            spill = self._spill.setdefault(job.model, SlidingSum(HOUR_S))
            spill.add(row.cost_nano_usd, self._clock.monotonic_s())

    def sampled(self, sample: Sample) -> None:
        self._sample_scheduler(sample.snapshot)
        for model, spill in self._spill.items():
            spill.forget(sample.now_s)
            self._spill_last_hour.labels(model).set(spill.total / NANO_PER_USD)
        for name, hits in chain(refusals.items(), sample.limits.items()):
            self._limits.labels(name).set(hits)
        for (target, fault), times in sample.faults.items():
            self._faults.labels(target, fault.value).set(times)
        self._config_refused.set(int(sample.config_is_refused))
        self._quality.show(sample.quality)

    def _sample_scheduler(self, snapshot: Snapshot) -> None:
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
            self._sample_pool(pool)
        self._counted.set(snapshot.spill_nano_last_hour / NANO_PER_USD)
        for refusal, times in snapshot.refusals.items():
            self._refusals.labels(refusal.value).set(times)
        for limit, hits in snapshot.limits.items():
            self._limits.labels(limit.value).set(hits)

    def _sample_pool(self, pool: PoolView) -> None:
        per_hour = HOUR_S / NANO_PER_USD
        self._bid_price.labels(pool.model).set(pool.bid_price * per_hour)
        self._admission_price.labels(pool.model).set(pool.admission_price * per_hour)
        self._occupancy.labels(pool.model).set(pool.occupancy)
