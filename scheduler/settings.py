"""Bounds, assumptions and breaker timing of the first policy, each with its unit."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Settings:
    """The assumed rates are pessimistic: what was never measured must not attract work."""

    # The queue, per model. A request longer than the bound may still wait alone.
    queue_requests_max: int = 10_000
    queue_tokens_max: int = 20_000_000
    queue_wait_ms_max: int = 30_000
    # What a replica may take.
    report_age_ms_max: int = 2_000
    ramp_requests: int = 4  # in flight on a replica without a trusted, fresh report
    kv_headroom: float = 0.05  # share of the KV cache kept for answers longer than expected
    # Rates of a replica that has not measured any.
    prefill_tok_s_assumed: float = 1_000.0
    decode_step_s_assumed: float = 0.1
    output_tokens_assumed: int = 256  # of requests that other schedulers have in flight
    # Breakers, per provider and per replica.
    breaker_failures: int = 5  # consecutive failures that open it
    breaker_open_ms: int = 1_000  # doubles with each failed probe
    breaker_open_ms_max: int = 60_000
    # What a refused caller is told.
    retry_after_s_unknown: int = 5
    retry_after_s_max: int = 60

    def __post_init__(self) -> None:
        if not 0 <= self.kv_headroom < 1:
            raise ValueError("kv_headroom must be at least 0 and below 1")
        for field in fields(self):
            if field.name != "kv_headroom" and not getattr(self, field.name) > 0:
                raise ValueError(f"{field.name} must be above 0")
