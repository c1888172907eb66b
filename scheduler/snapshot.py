"""A frozen view of the scheduler for metrics and readiness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from scheduler.breaker import BreakerState
from scheduler.decision import Reason, Refusal


class Limit(StrEnum):
    """Bounds that bit, apart from the refusals that verdicts carry."""

    QUEUE_REQUESTS = "queue_requests"
    QUEUE_TOKENS = "queue_tokens"
    QUEUE_WAIT = "queue_wait"
    REPORT_ABSURD = "report_absurd"
    REPORT_UNKNOWN = "report_unknown"  # of no live replica, or of another generation
    REPLICA_OUTDATED = "replica_outdated"  # joined with an older generation than is known
    BREAKER_OPENED = "breaker_opened"


@dataclass(frozen=True, slots=True)
class QueueView:
    model: str
    requests: int
    tokens: int


@dataclass(frozen=True, slots=True)
class ReplicaView:
    replica_id: str
    model: str
    generation: int
    in_flight: int
    kv_tokens_reserved: int
    prefill_tokens_waiting: int
    report_age_s: float | None  # None: never reported
    is_fresh: bool  # a trusted report that is young enough: growth is not frozen
    breaker: BreakerState


@dataclass(frozen=True, slots=True)
class OfferView:
    offer_id: str
    model: str
    in_flight: int
    breaker: BreakerState


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Counters run from the start of the scheduler. ``refusals`` counts those in verdicts."""

    queues: tuple[QueueView, ...]
    replicas: tuple[ReplicaView, ...]
    offers: tuple[OfferView, ...]
    reasons: Mapping[Reason, int]
    refusals: Mapping[Refusal, int]
    limits: Mapping[Limit, int]

    @property
    def queue_requests(self) -> int:
        return sum(queue.requests for queue in self.queues)

    @property
    def queue_tokens(self) -> int:
        return sum(queue.tokens for queue in self.queues)
