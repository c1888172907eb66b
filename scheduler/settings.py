"""Bounds, assumptions, caps and timing of the policy, each with its unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

MAY_BE_ZERO = ("kv_headroom", "spill_nano_per_hour_max", "margin_ms")


@dataclass(frozen=True, slots=True)
class Settings:
    """The assumed rates are pessimistic: what was never measured must not attract work."""

    # The queue, per model. A request longer than the bound may still wait alone.
    queue_requests_max: int = 10_000
    queue_tokens_max: int = 20_000_000
    queue_bytes_max: int = 1 << 30
    queue_wait_ms_max: int = 30_000
    # What a replica may take.
    report_age_ms_max: int = 2_000
    ramp_requests: int = 4  # in flight on a replica without a trusted, fresh report
    kv_headroom: float = 0.02  # share of the KV cache kept for answers longer than expected
    # Rates of a replica that has not measured any.
    prefill_tok_s_assumed: float = 1_000.0
    decode_step_s_assumed: float = 0.1
    # The bid price.
    demand_window_ms: int = 30_000  # over which recent demand fades
    target_load: float = 1.0  # share of the engines' time that demand may fill
    hysteresis_ms: int = 5_000  # so long must a price have held before it sends anyone away at once
    # Purchases. A cap of None is none.
    offer_ttft_ms_assumed: int = 1_000
    offer_tok_s_assumed: float = 30.0
    spill_nano_per_hour_max: int | None = None
    tenant_nano_per_hour: Mapping[str, int] = field(default_factory=dict)
    # QueuedRequest.
    margin_ms: int = 300  # kept before a deadline, for the next tick and the way to the target
    ageing_ms: int = 5_000  # held so long, a request moves up one priority class
    valley_occupancy_max: float = 0.7  # of the pool, up to which the batch lane may fill it
    # Breakers, per offer, per account and per replica.
    breaker_failures: int = 5  # consecutive failures that open it
    breaker_open_ms: int = 1_000  # doubles with each failed probe
    breaker_open_ms_max: int = 60_000  # of pauses that no target asked for, too
    breaker_probe_ms_max: int = 30_000  # for a probe's first content; then another may start
    pause_ms: int = 1_000  # of a busy target that does not say how long; doubles in a row
    pause_ms_max: int = 300_000  # of what a target asks for (Retry-After)
    # What a refused caller is told.
    retry_after_s_unknown: int = 5
    retry_after_s_max: int = 60

    def __post_init__(self) -> None:
        if not 0 <= self.kv_headroom < 1:
            raise ValueError("kv_headroom must be at least 0 and below 1")
        if not all(nano >= 0 for nano in self.tenant_nano_per_hour.values()):
            raise ValueError("tenant_nano_per_hour must hold budgets of at least 0")
        for each in fields(self):
            value = getattr(self, each.name)
            if value is None or isinstance(value, Mapping):
                continue
            if value == 0 and each.name in MAY_BE_ZERO:
                continue
            if not value > 0:
                raise ValueError(f"{each.name} must be above 0")
