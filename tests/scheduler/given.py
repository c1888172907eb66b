"""Small makers of the scheduler's inputs, with defaults that fit together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from models.prices import Price
from scheduler.arrival import Arrival
from scheduler.choose.policy import Policy
from scheduler.decision import Action
from scheduler.offer import Offer
from scheduler.pool.circuit_breaker import Breaker, OfferBreaker
from scheduler.pool.offer_state import OfferState
from scheduler.pool.pool import Pool
from scheduler.pool.queue import QueuedRequest
from scheduler.pool.replica_state import ReplicaState
from scheduler.replica import LoadReport, Replica
from scheduler.settings import Settings
from scheduler.state_machine import Scheduler

MODEL = "moe"


def arrival(
    request_id: str = "q1",
    *,
    model: str = MODEL,
    prompt: int = 100,
    output: int = 50,
    output_max: int = 100,
    ttft_budget_ms: int = 2_000,
    tenant: str = "tenant",
    **more: Any,
) -> Arrival:
    """``more``: the fields of an Arrival that have defaults."""
    return Arrival(request_id, tenant, model, prompt, output, output_max, ttft_budget_ms, **more)


def replica(
    replica_id: str = "r1",
    *,
    model: str = MODEL,
    generation: int = 1,
    kv: int = 10_000,
    context: int = 4_000,
    running_max: int = 8,
    batched: int = 2_000,
) -> Replica:
    return Replica(replica_id, model, generation, kv, context, running_max, batched)


def report(
    replica_id: str = "r1",
    *,
    generation: int = 1,
    running: int = 0,
    waiting: int = 0,
    kv: int = 0,
    prefill_waiting: int = 0,
    prefill_tok_s: float | None = 10_000.0,
    decode_step_s: float | None = 0.02,
    prefix_hit: int = 0,
    **totals: Any,
) -> LoadReport:
    """``totals``: what the engine has counted since its start."""
    return LoadReport(
        replica_id,
        generation,
        running,
        waiting,
        kv,
        prefill_waiting,
        prefill_tok_s,
        decode_step_s,
        preemptions=0,
        prefix_hit_tokens=prefix_hit,
        **totals,
    )


def price(input_pico: int = 1_000, output_pico: int = 4_000) -> Price:
    return Price(
        "p1", "vendor", "m", input_pico, None, output_pico, date(2026, 1, 1), None, "a list"
    )


PRICE = price()


def offer(
    offer_id: str = "vendor/m",
    *,
    provider: str = "vendor",
    model: str = MODEL,
    context: int = 8_000,
    in_flight_max: int = 4,
    at: Price | None = PRICE,
    **limits: Any,
) -> Offer:
    """``limits``: the provider's, per minute."""
    return Offer(offer_id, provider, model, context, in_flight_max, at, **limits)


SETTINGS = Settings(
    margin_ms=100, queue_wait_ms_max=10_000, report_age_ms_max=60_000, breaker_failures=2
)
PATIENT_MS = 3_600_000


def running(
    *offers: Offer, replicas: int = 1, settings: Settings = SETTINGS, policy: Policy | None = None
) -> Scheduler:
    """A scheduler with reporting replicas of one slot each."""
    scheduler = Scheduler(settings, offers, policy)
    for n in range(1, replicas + 1):
        assert scheduler.on_replica_joined(replica(f"r{n}", running_max=1), 0.0) == []
        assert scheduler.on_load_report(report(f"r{n}"), 0.0) == []
    return scheduler


def patient(request_id: str, prompt: int = 100, **more: Any) -> Arrival:
    return arrival(request_id, prompt=prompt, ttft_budget_ms=PATIENT_MS, **more)


def only(actions: list[Action]) -> Action:
    (action,) = actions
    return action


def offer_state(offer_id: str = "vendor/m", **change: Any) -> OfferState:
    return OfferState(offer(offer_id, **change), OfferBreaker(Breaker()))


def pool_of(
    *states: ReplicaState, offers: Sequence[OfferState] = (), settings: Settings = SETTINGS
) -> Pool:
    pool = Pool.of(MODEL, settings)
    pool.offers = list(offers)
    for state in states:
        pool.join(state)
        pool.prefixes.join(state.replica.replica_id, 1_000)
    return pool


@dataclass
class Fixed:
    """A policy that always answers the same."""

    admitted: bool = True
    at_once: bool = False
    late: bool = True

    def urgency(self, waiting: QueuedRequest, pool: Pool) -> float:
        return 0.0

    def admits(self, waiting: QueuedRequest, pool: Pool) -> bool:
        return self.admitted

    def buys_at_once(self, waiting: QueuedRequest, pool: Pool) -> bool:
        return self.at_once

    def buys_late(self, waiting: QueuedRequest, pool: Pool) -> bool:
        return self.late
