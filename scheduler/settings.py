"""What a user may set of the scheduler: the sections of the configuration file that it reads.

Each key stands here once, with its name, its default, its bounds and its meaning: the file is
validated into these models, docs/config.md is written from them, and simulations take the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from models.config_values import WEEK_MS, ConfigSection, Ms, Share, UsdPerHour
from models.money import NanoUsd

Positive = Annotated[float, Field(gt=0)]


class _Section(ConfigSection):
    model_config = ConfigDict(allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _none_is_left_out(cls, section: Any) -> Any:
        """A known key that stands there without a value has its default."""
        if not isinstance(section, Mapping):
            return section
        return {
            key: value
            for key, value in section.items()
            if value is not None or key not in cls.model_fields
        }


class QueueSettings(_Section):
    """The late-binding queue of each model. A request longer than it may still wait alone."""

    requests_max: int = Field(default=10_000, ge=1)
    """Requests of one model that may wait; the next is bought or refused."""
    tokens_max: int = Field(default=20_000_000, ge=1)
    """Tokens, prompt and expected answer, that waiting requests of one model may come to."""
    bytes_max: int = Field(default=1 << 30, ge=1)
    """Bytes of text that the waiting requests of one model may come to."""
    wait_ms_max: Ms = 30_000
    """Longest wait of a request without a deadline, in ms; then it is bought or refused."""
    deadline_margin_ms: int = Field(default=300, ge=0, le=WEEK_MS)
    """Time kept before each deadline, in ms, for the next look and the way to the target."""
    retry_after_s_default: int = Field(default=5, ge=1, le=3_600)
    """Retry-After of a refusal while no replica tells how long the queue takes, in seconds."""
    retry_after_s_max: int = Field(default=60, ge=1, le=3_600)
    """Longest Retry-After that a long queue makes, in seconds."""


class AdmissionSettings(_Section):
    """What a replica may take. Assumed rates are pessimistic: what was never measured must not
    attract work."""

    report_age_ms_max: Ms = 2_000
    """Age in ms up to which a replica's load report is believed."""
    ramp_requests: int = Field(default=4, ge=1)
    """Requests in flight that a replica without a fresh, plausible report may have."""
    kv_headroom: float = Field(default=0.02, ge=0, lt=1)
    """Share of the KV cache that is kept for answers longer than expected."""
    prefill_tok_s_assumed: Positive = 1_000.0
    """Prompt tokens per second of a replica that has not measured any."""
    decode_step_s_assumed: Positive = 0.1
    """Seconds per step of an engine, until a pool has measured its own."""


class SpillSettings(_Section):
    """When requests are bought, and for how much at most."""

    usd_per_hour_max: UsdPerHour | None = None  # as nano-USD
    """USD per hour that purchases of all tenants may cost; none is no cap, "0" buys nothing."""
    demand_window_ms: Ms = 30_000
    """Time over which recent demand fades from the bid price, in ms."""
    hysteresis_ms: Ms = 5_000
    """How long a price must have held before it sends anyone away at once, in ms."""
    target_load: Share = 1.0
    """Share of the engines' time that demand may fill before a price arises."""
    ageing_ms: Ms = 5_000
    """Time in ms after which a waiting request moves up one priority class."""
    valley_occupancy_max: Share = 0.7
    """Share of a pool up to which requests with a deadline may fill it."""
    offer_ttft_ms_assumed: Ms = 1_000
    """Time to the first token of an offer that was not measured yet, in ms."""
    offer_tok_s_assumed: Positive = 30.0
    """Answer tokens per second that an offer is taken to give a request with a deadline."""


class CircuitBreakerSettings(_Section):
    """There is one breaker per offer, per account and per replica."""

    failures: int = Field(default=5, ge=1)
    """Failures in a row that shut a target off."""
    open_ms: Ms = 1_000
    """How long a target is shut off at first, in ms; doubles with each failed probe."""
    open_ms_max: Ms = 60_000
    """Longest time in ms that failures, or pauses that no target asked for, shut one off."""
    probe_ms_max: Ms = 30_000
    """Time in ms in which a probe's first content must come; then another may start."""
    pause_ms: Ms = 1_000
    """Pause of a busy target that does not say how long, in ms; doubles in a row."""
    pause_ms_max: Ms = 300_000
    """Longest pause that a target's own Retry-After makes, in ms."""


class Settings(ConfigSection):
    """All of them, and what each tenant with a budget may spend."""

    queue: QueueSettings = QueueSettings()
    admission: AdmissionSettings = AdmissionSettings()
    spill: SpillSettings = SpillSettings()
    circuit_breaker: CircuitBreakerSettings = CircuitBreakerSettings()
    tenant_nano_per_hour: Mapping[str, Annotated[NanoUsd, Field(ge=0)]] = {}
