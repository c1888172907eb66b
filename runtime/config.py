"""The routing configuration: what `serve deploy` changes without a restart.

Unknown keys are refused, all errors come together, and secrets are only ever the names of
environment variables. What runs (pools, cards, checkpoints) is in ``runtime.pools``.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from models.money import NanoUsd, nano_usd_per_hour
from runtime.errors import ConfigError
from runtime.http.tags import Sensitivity
from scheduler.settings import Settings

PROVIDERS_MAX = 64
TENANTS_MAX = 10_000
ERRORS_SHOWN_MAX = 12

UsdPerHour = Annotated[NanoUsd, BeforeValidator(nano_usd_per_hour)]  # written as a decimal string


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OfferConfig(_Part):
    """A catalogue model at a provider: its name there, and what the provider lets us send.

    The limits per minute hold for this model; None takes the provider's.
    """

    name: str = Field(max_length=256)
    context_tokens_max: int = Field(default=131_072, ge=1)
    in_flight_max: int = Field(default=64, ge=1)
    requests_per_min_max: int | None = Field(default=None, ge=1)
    tokens_per_min_max: int | None = Field(default=None, ge=1)  # prompt and answer


class ProviderConfig(_Part):
    """An external account. The key is read from the environment, never from the file.

    The limits per minute hold for each of its models by itself, as vendors count them.
    """

    base_url: str = Field(max_length=2048)
    key_env: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    region: str = "unknown"
    allowed_sensitivity: frozenset[Sensitivity] = frozenset(
        {Sensitivity.PUBLIC, Sensitivity.INTERNAL}
    )
    requests_per_min_max: int | None = Field(default=None, ge=1)
    tokens_per_min_max: int | None = Field(default=None, ge=1)
    offers: dict[str, OfferConfig | str] = Field(min_length=1)  # catalogue id → name there

    @model_validator(mode="after")
    def _safe_url(self) -> Self:
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("base_url must be http(s)://host[:port]/path")
        if url.username or url.query:
            raise ValueError("base_url may not hold a user, a password or a query")
        if url.scheme == "http" and url.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError("base_url must be https, unless the host is this machine")
        return self

    def offer(self, model: str) -> OfferConfig:
        given = self.offers[model]
        offer = OfferConfig(name=given) if isinstance(given, str) else given
        return offer.model_copy(
            update={
                name: getattr(self, name)
                for name in ("requests_per_min_max", "tokens_per_min_max")
                if getattr(offer, name) is None
            }
        )


class TenantConfig(_Part):
    """Who may call. Keys are SHA-256 hashes (`baseload key` makes a pair).

    Of what its purchases may cost, None leaves it only the common cap, and "0" forbids them.
    """

    key_sha256: list[str] = Field(min_length=1, max_length=64)
    spill_usd_per_hour_max: UsdPerHour | None = None


class StreamConfig(_Part):
    """Time limits of a request that was dispatched."""

    connect_ms_max: int = Field(default=2_000, ge=1)
    first_token_ms_max: int = Field(default=600_000, ge=1)  # or a whole answer
    inter_token_ms_max: int = Field(default=30_000, ge=1)
    answer_ms_max: int = Field(default=3_600_000, ge=1)


class TelemetryConfig(_Part):
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=None, ge=1, le=65_535)


class QueueConfig(_Part):
    """The late-binding queue. None keeps the scheduler's own default."""

    requests_max: int | None = Field(default=None, ge=1)
    tokens_max: int | None = Field(default=None, ge=1)
    bytes_max: int | None = Field(default=None, ge=1)
    wait_ms_max: int | None = Field(default=None, ge=1)


class SpillConfig(_Part):
    """When requests are bought, and for how much at most. None keeps the scheduler's default."""

    usd_per_hour_max: UsdPerHour | None = None  # of all tenants; None is no cap, "0" buys nothing
    demand_window_ms: int | None = Field(default=None, ge=1)
    hysteresis_ms: int | None = Field(default=None, ge=1)
    target_load: float | None = Field(default=None, gt=0, le=1)
    ageing_ms: int | None = Field(default=None, ge=1)
    valley_occupancy_max: float | None = Field(default=None, gt=0, le=1)


class GatewayConfig(_Part):
    """Serve's ``user_config`` of the Scheduler deployment."""

    region: str = "local"
    ttft_budget_ms: int = Field(default=2_000, ge=1)
    tenants: dict[str, TenantConfig] = Field(default_factory=dict, max_length=TENANTS_MAX)
    providers: dict[str, ProviderConfig] = Field(default_factory=dict, max_length=PROVIDERS_MAX)
    queue: QueueConfig = QueueConfig()
    spill: SpillConfig = SpillConfig()
    stream: StreamConfig = StreamConfig()
    telemetry: TelemetryConfig = TelemetryConfig()

    def settings(self) -> Settings:
        given = {
            "queue_requests_max": self.queue.requests_max,
            "queue_tokens_max": self.queue.tokens_max,
            "queue_bytes_max": self.queue.bytes_max,
            "queue_wait_ms_max": self.queue.wait_ms_max,
            "spill_nano_per_hour_max": self.spill.usd_per_hour_max,
            "demand_window_ms": self.spill.demand_window_ms,
            "hysteresis_ms": self.spill.hysteresis_ms,
            "target_load": self.spill.target_load,
            "ageing_ms": self.spill.ageing_ms,
            "valley_occupancy_max": self.spill.valley_occupancy_max,
            "tenant_nano_per_hour": {
                name: tenant.spill_usd_per_hour_max
                for name, tenant in self.tenants.items()
                if tenant.spill_usd_per_hour_max is not None
            },
        }
        known: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        return dataclasses.replace(Settings(), **known)

    def may_buy(self, tenant: str) -> bool:
        """A cap of nothing means never: its requests are served here, or not at all."""
        terms = self.tenants.get(tenant)
        caps = (self.spill.usd_per_hour_max, terms.spill_usd_per_hour_max if terms else None)
        return 0 not in caps


def load_config(data: dict[str, Any]) -> GatewayConfig:
    """Validates; ConfigError lists every problem in one line each, with its path."""
    try:
        return GatewayConfig.model_validate(data)
    except ValidationError as error:
        raise ConfigError(describe(error)) from None


def describe(error: ValidationError) -> str:
    """Every problem as ``path: what is wrong``, for a person who edits the file."""
    problems = [
        ".".join(str(part) for part in item["loc"]) + ": " + item["msg"].lower()
        for item in error.errors(include_url=False, include_input=False)
    ]
    more = len(problems) - ERRORS_SHOWN_MAX
    shown = problems[:ERRORS_SHOWN_MAX] + ([f"and {more} more"] if more > 0 else [])
    return "; ".join(shown)
