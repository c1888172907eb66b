"""A frozen view of the scheduler for metrics and readiness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from scheduler.decision import Reason, Refusal
from scheduler.pool.circuit_breaker import Condition
from scheduler.pool.offer_state import OfferState
from scheduler.pool.pool import Pool
from scheduler.pool.prefix_index import PrefixLimit
from scheduler.pool.replica_state import ReplicaState
from scheduler.settings import Settings
from scheduler.target import Target


class Limit(StrEnum):
    """Bounds that bit, apart from the refusals that verdicts carry."""

    QUEUE_REQUESTS = "queue_requests"  # as many requests of a model waited as may
    QUEUE_TOKENS = "queue_tokens"  # as many of their tokens
    QUEUE_BYTES = "queue_bytes"  # as many of their bytes
    QUEUE_WAIT = "queue_wait"  # waited as long as anything may wait, and was refused
    REPORT_ABSURD = "report_absurd"  # a load report that cannot be true was left out
    REPORT_UNKNOWN = "report_unknown"  # one of no live replica, or of another generation
    REPLICA_OUTDATED = "replica_outdated"  # joined with an older generation than is known
    BREAKER_OPENED = "breaker_opened"  # a target was shut after failures
    TARGET_PAUSED = "target_paused"  # a target was shut because it asked for a pause


@dataclass(frozen=True, slots=True)
class QueueView:
    model: str
    requests: int
    tokens: int


@dataclass(frozen=True, slots=True)
class PoolView:
    """Prices are in nano-USD per engine second: see ``bid_price``."""

    model: str
    bid_price: float
    admission_price: float
    occupancy: float
    step_s: float
    prefill_token_s: float
    decode_token_s: float


@dataclass(frozen=True, slots=True)
class ReplicaView:
    target: Target
    model: str
    generation: int
    in_flight: int
    kv_tokens_reserved: int
    prefill_tokens_waiting: int
    report_age_s: float | None  # None: never reported
    is_fresh: bool  # a trusted report that is young enough: growth is not frozen
    breaker: Condition


@dataclass(frozen=True, slots=True)
class OfferView:
    target: Target
    model: str
    in_flight: int
    breaker: Condition


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Counters run from the start of the scheduler. ``refusals`` counts those in verdicts."""

    queues: tuple[QueueView, ...]
    pools: tuple[PoolView, ...]
    replicas: tuple[ReplicaView, ...]
    offers: tuple[OfferView, ...]
    spill_nano_last_hour: int
    reasons: Mapping[Reason, int]
    refusals: Mapping[Refusal, int]
    limits: Mapping[Limit | PrefixLimit, int]

    @property
    def queue_requests(self) -> int:
        return sum(queue.requests for queue in self.queues)

    @property
    def queue_tokens(self) -> int:
        return sum(queue.tokens for queue in self.queues)


def queue_view(pool: Pool) -> QueueView:
    return QueueView(pool.model, len(pool.queue), pool.queue.kv_tokens_expected)


def pool_view(pool: Pool) -> PoolView:
    return PoolView(
        model=pool.model,
        bid_price=pool.bid.price,
        admission_price=pool.bid.admission_price,
        occupancy=pool.occupancy,
        step_s=pool.cost.step_s,
        prefill_token_s=pool.cost.prefill_token_s,
        decode_token_s=pool.cost.decode_token_s,
    )


def replica_view(state: ReplicaState, settings: Settings, now: float) -> ReplicaView:
    return ReplicaView(
        target=state.target,
        model=state.replica.model,
        generation=state.replica.generation,
        in_flight=state.in_flight,
        kv_tokens_reserved=state.kv_tokens_reserved,
        prefill_tokens_waiting=state.prefill_tokens_waiting,
        report_age_s=None if state.reported_at is None else now - state.reported_at,
        is_fresh=state.is_fresh(settings, now),
        breaker=state.breaker.condition(now),
    )


def offer_view(state: OfferState, now: float) -> OfferView:
    condition = state.breaker.condition(now)
    return OfferView(state.target, state.offer.model, len(state.requests), condition)
