"""The routing configuration: what `serve deploy` changes without a restart.

Unknown keys are refused, all errors come together, and secrets are only ever the names of
environment variables. What runs (pools, cards, checkpoints) is in ``runtime.targets.pools``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from runtime.config_types import (
    AnyHost,
    BaseUrl,
    KeyHashes,
    ModelName,
    Ms,
    OfferName,
    Origin,
    Port,
    ProviderName,
    TenantName,
    UsdPerHour,
    VariableName,
)
from runtime.errors import ConfigError
from runtime.origins import EVERY
from runtime.problems import Problem, one_line, problems, wrong_at
from runtime.wire.tags import Sensitivity
from scheduler.settings import Settings

PROVIDERS_MAX = 64
TENANTS_MAX = 10_000
METRICS_PORTS_TRIED = 16  # several Schedulers of one node count up from metrics_port
ORIGINS_MAX = 64


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OfferConfig(_Part):
    """A catalogue model at a provider: its name there, and what the provider lets us send.

    The limits per minute hold for this model; None takes the provider's.
    """

    SAID_ELSEWHERE: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("price", "prices", "usd", "cost", "input_usd_per_mtok", "output_usd_per_mtok"),
        "prices stand in models/data/prices.yaml, under the provider and the name of the offer",
    )

    name: OfferName
    context_tokens_max: int = Field(default=131_072, ge=1)
    output_tokens_max: int | None = Field(default=None, ge=1)  # sent if a caller names no limit
    in_flight_max: int = Field(default=64, ge=1)
    requests_per_min_max: int | None = Field(default=None, ge=1)
    tokens_per_min_max: int | None = Field(default=None, ge=1)  # prompt and answer


def _named(given: Any) -> Any:
    return {"name": given} if isinstance(given, str) else given


class ProviderConfig(_Part):
    """An external account. The key is read from the environment, never from the file.

    The limits per minute hold for each of its models by itself, as vendors count them.
    """

    base_url: BaseUrl
    key_env: VariableName
    region: str = "unknown"
    allowed_sensitivity: frozenset[Sensitivity] = frozenset(
        {Sensitivity.PUBLIC, Sensitivity.INTERNAL}
    )
    requests_per_min_max: int | None = Field(default=None, ge=1)
    tokens_per_min_max: int | None = Field(default=None, ge=1)
    # By catalogue id. A name alone stands for an offer without limits of its own.
    offers: dict[ModelName, Annotated[OfferConfig, BeforeValidator(_named)]] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct_names(self) -> Self:
        """An offer is known by its name at the provider, so a second of that name hides it."""
        models: dict[str, str] = {}
        for model, offer in self.offers.items():
            first = models.setdefault(offer.name, model)
            if first != model:
                wrong = f"is called {offer.name!r} there, as {first!r} is"
                raise wrong_at(("offers", model), wrong)
        return self

    def offer(self, model: str) -> OfferConfig:
        offer = self.offers[model]
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

    key_sha256: KeyHashes
    spill_usd_per_hour_max: UsdPerHour | None = None


class StreamConfig(_Part):
    """Time limits of a request that was dispatched."""

    connect_ms_max: Ms = 2_000
    first_token_ms_max: Ms = 600_000  # or a whole answer
    inter_token_ms_max: Ms = 30_000
    answer_ms_max: Ms = 3_600_000


class HttpConfig(_Part):
    """Browsers' pages of these origins may call; none unless they are named, "*" is every one."""

    allowed_origins: list[Origin] = Field(default=[], max_length=ORIGINS_MAX)

    @field_validator("allowed_origins")
    @classmethod
    def _every_one_alone(cls, origins: list[str]) -> list[str]:
        if EVERY in origins and len(origins) > 1:
            raise ValueError('"*" is every origin and must stand alone')
        return origins


class TelemetryConfig(_Part):
    metrics_host: AnyHost = "127.0.0.1"
    metrics_port: Port | None = None
    access_log: bool = True  # one line for each request


class QueueConfig(_Part):
    """The late-binding queue. None keeps the scheduler's own default."""

    requests_max: int | None = Field(default=None, ge=1)
    tokens_max: int | None = Field(default=None, ge=1)
    bytes_max: int | None = Field(default=None, ge=1)
    wait_ms_max: Ms | None = None


class SpillConfig(_Part):
    """When requests are bought, and for how much at most. None keeps the scheduler's default."""

    usd_per_hour_max: UsdPerHour | None = None  # of all tenants; None is no cap, "0" buys nothing
    demand_window_ms: Ms | None = None
    hysteresis_ms: Ms | None = None
    target_load: float | None = Field(default=None, gt=0, le=1)
    ageing_ms: Ms | None = None
    valley_occupancy_max: float | None = Field(default=None, gt=0, le=1)


class GatewayConfig(_Part):
    """Serve's ``user_config`` of the Scheduler deployment."""

    region: str = "local"
    ttft_budget_ms: Ms = 2_000
    tenants: dict[TenantName, TenantConfig] = Field(default_factory=dict, max_length=TENANTS_MAX)
    providers: dict[ProviderName, ProviderConfig] = Field(
        default_factory=dict, max_length=PROVIDERS_MAX
    )
    queue: QueueConfig = QueueConfig()
    spill: SpillConfig = SpillConfig()
    stream: StreamConfig = StreamConfig()
    http: HttpConfig = HttpConfig()
    telemetry: TelemetryConfig = TelemetryConfig()

    @model_validator(mode="after")
    def _one_tenant_per_key(self) -> Self:
        owners: dict[str, str] = {}
        for name, tenant in self.tenants.items():
            for index, digest in enumerate(tenant.key_sha256):
                if (owner := owners.setdefault(digest, name)) != name:
                    path = ("tenants", name, "key_sha256", index)
                    raise wrong_at(path, f"is the key of tenant {owner!r}, too: give each its own")
        return self

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


def read_config(data: Any) -> tuple[GatewayConfig | None, list[Problem]]:
    """The configuration, or all that is wrong with it."""
    try:
        return GatewayConfig.model_validate(data), []
    except ValidationError as error:
        return None, problems(error, GatewayConfig)


def load_config(data: Any) -> GatewayConfig:
    """Validates; ConfigError tells every problem in one line, each with its path."""
    config, found = read_config(data)
    if config is None:
        raise ConfigError(one_line(found))
    return config
