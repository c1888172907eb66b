"""Small makers of the scheduler's inputs, with defaults that fit together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Any

from models.price_book import Price
from scheduler.arrival import Arrival
from scheduler.choose.bid_price_policy import Policy
from scheduler.decision import Action
from scheduler.offer import Offer
from scheduler.pool.circuit_breaker import Breaker, OfferBreaker
from scheduler.pool.offer_state import OfferState
from scheduler.pool.pool import Pool
from scheduler.pool.queued_request import QueuedRequest
from scheduler.pool.replica_state import ReplicaState
from scheduler.replica import EngineLimits, LoadReport, Replica
from scheduler.settings import (
    AdmissionSettings,
    CircuitBreakerSettings,
    QueueSettings,
    Settings,
    SpillSettings,
)
from scheduler.state_machine import Scheduler
from scheduler.target import Target, TargetKind

MODEL = "moe"


def local(replica_id: str) -> Target:
    return Target(TargetKind.LOCAL, replica_id)


def at_offer(offer_id: str) -> Target:
    return Target(TargetKind.OFFER, offer_id)


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
    max_num_seqs: int = 8,
    batched: int = 2_000,
    block: int = 1,
) -> Replica:
    limits = EngineLimits(kv, context, max_num_seqs, batched, block)
    return Replica(replica_id, model, generation, limits)


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
        running,
        waiting,
        kv,
        prefill_waiting,
        prefill_tok_s,
        decode_step_s,
        preemptions=0,
        prefix_hit_tokens=prefix_hit,
        replica_id=replica_id,
        generation=generation,
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
    queue=QueueSettings(deadline_margin_ms=100, wait_ms_max=10_000, retry_after_s_default=7),
    admission=AdmissionSettings(report_age_ms_max=60_000),
    circuit_breaker=CircuitBreakerSettings(failures=2),
)
PATIENT_MS = 3_600_000


def chance_settings(chance: Random) -> Settings:
    return Settings(
        queue=QueueSettings(
            requests_max=chance.choice([3, 8]),
            tokens_max=chance.choice([2_000, 20_000]),
            wait_ms_max=chance.choice([500, 3_000]),
        ),
        admission=AdmissionSettings(report_age_ms_max=1_000, ramp_requests=chance.choice([1, 3])),
        spill=SpillSettings(
            demand_window_ms=chance.choice([500, 5_000]),
            hysteresis_ms=chance.choice([250, 500]),
            ageing_ms=chance.choice([200, 1_000]),
            usd_per_hour_max=chance.choice([None, "0.000003", "0.00003"]),
        ),
        circuit_breaker=CircuitBreakerSettings(
            failures=2,
            open_ms=500,
            open_ms_max=2_000,
            probe_ms_max=3_000,
            pause_ms=300,
            pause_ms_max=4_000,
        ),
        tenant_nano_per_hour={"t1": chance.choice([0, 1_500]), "t2": 10_000},
    )


def changed(settings: Settings, **sections: Mapping[str, object]) -> Settings:
    """The same with other values for some keys, given as in a file: by section and key."""
    updates = {}
    for name, keys in sections.items():
        section = getattr(settings, name)
        checked = type(section).model_validate(keys)
        updates[name] = section.model_copy(update={key: getattr(checked, key) for key in keys})
    return settings.model_copy(update=updates)


def running(
    *offers: Offer, replicas: int = 1, settings: Settings = SETTINGS, policy: Policy | None = None
) -> Scheduler:
    """A scheduler with reporting replicas of one slot each."""
    scheduler = Scheduler(settings, offers, policy)
    for n in range(1, replicas + 1):
        assert scheduler.on_replica_joined(replica(f"r{n}", max_num_seqs=1), 0.0) == []
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
