"""The routing configuration: what `serve deploy` changes without a restart.

Unknown keys are refused, all errors come together, and secrets are only ever the names of
environment variables. What runs (pools, cards, checkpoints) is in ``runtime.targets.local_pools``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from models.config_values import ConfigSection, Ms
from models.price_book import BadPriceBook, Price, PriceBook, own_prices
from runtime.config_facts import ComplianceConfig
from runtime.config_problems import Problem, all_wrong, one_line, problems, wrong_at
from runtime.config_provider import ProviderConfig
from runtime.config_rules import AbilitiesConfig, QualityConfig, Rules, called_as_models
from runtime.config_tenant import Tenants
from runtime.config_types import (
    AnyHost,
    ModelName,
    Origin,
    Port,
    PricesFile,
    ProviderName,
)
from runtime.cors_origin import EVERY
from runtime.errors import ConfigError
from runtime.wire.tag_terms import NO_TERMS, TagTerms
from scheduler.settings import (
    AdmissionSettings,
    CircuitBreakerSettings,
    QueueSettings,
    Settings,
    SpillSettings,
)
from scheduler.tenant_limits import TenantLimits

PROVIDERS_MAX = 64
METRICS_PORTS_TRIED = 16  # several Schedulers of one node count up from metrics_port
ORIGINS_MAX = 64
ATTEMPTS_BOUND = 16  # of one request
HALF_LIFE_DAYS_MAX = 365

HalfLife = Annotated[int, Field(ge=1, le=HALF_LIFE_DAYS_MAX)]


class StreamConfig(ConfigSection):
    """Time limits of a request that was dispatched."""

    connect_ms_max: Ms = 2_000
    """Longest wait for a connection to the target, in ms."""
    first_token_ms_max: Ms = 600_000
    """Longest wait for the first token, or for a whole answer, from being sent, in ms."""
    first_token_ms: list[Ms] = Field(default=[], max_length=ATTEMPTS_BOUND)
    """Longest wait for a stream's first words at each attempt, in ms; the last for all further."""
    hedge_after_ms: Ms | None = None
    """Silence before the first words, in ms, after which a rival target is asked; none: never."""
    inter_token_ms_max: Ms = 30_000
    """Longest silence of a stream between two tokens, in ms."""
    answer_ms_max: Ms = 3_600_000
    """Longest time that one answer may take from being sent to its end, in ms."""
    continue_on_twin: bool = True
    """Whether another replica of its pool goes on with a greedy answer that its own breaks off."""
    request_ms_max: Ms | None = None
    """Longest time from a request's arrival to its end, in ms; none limits only its parts."""
    attempts_max: int = Field(default=2, ge=1, le=ATTEMPTS_BOUND)
    """Targets that one request may be sent to, each once, until one of them has begun to answer."""


class HttpConfig(ConfigSection):
    """Browsers' pages of other origins, which may call only where they are named."""

    allowed_origins: list[Origin] = Field(default=[], max_length=ORIGINS_MAX)
    """Origins whose pages may call from a browser (CORS); "*", alone, is every one."""

    @field_validator("allowed_origins")
    @classmethod
    def _every_one_alone(cls, origins: list[str]) -> list[str]:
        if EVERY in origins and len(origins) > 1:
            raise ValueError('"*" is every origin and must stand alone')
        return origins


class TelemetryConfig(ConfigSection):
    metrics_host: AnyHost = "127.0.0.1"
    """Address that the Prometheus metrics listen on."""
    metrics_port: Port | None = None
    """Port of the metrics, or the next free one of 16 from there; none exports no metrics."""
    access_log: bool = True
    """Whether each request gets a line of JSON at its end."""


class GatewayConfig(ConfigSection):
    """Serve's ``user_config`` of the Scheduler deployment."""

    region: str = "local"
    """Where this endpoint is, for readers of this file: no decision looks at it yet."""
    ttft_budget_ms: Ms = 2_000
    """How long a caller waits for the first token, in ms, unless the request says otherwise."""
    tenants: Tenants = Field(default_factory=dict)
    """Who may call, by name; needed unless `local_key` is set. `local` is that key's tenant."""
    providers: dict[ProviderName, ProviderConfig] = Field(
        default_factory=dict, max_length=PROVIDERS_MAX
    )
    """Where requests may be bought, by the provider's name in models/data/prices.yaml."""
    rules: Rules = Field(default_factory=dict)
    """Which models may answer which task, by a name that a request may ask for as its model."""
    quality: dict[ModelName, QualityConfig] = Field(default_factory=dict)
    """How good models are, by their catalogue id: what a rule's quality_floor looks at first."""
    feedback_half_life_days: HalfLife = 7
    """After so many days feedback counts half: a model that was left out comes back by it."""
    abilities: dict[ModelName, AbilitiesConfig] = Field(default_factory=dict)
    """What models can do, by their catalogue id: what rules and requests need."""
    prices_file: PricesFile | None = None
    """Your own dated prices, a file by its whole path; they count before those that ship."""
    compliance: ComplianceConfig = ComplianceConfig()
    """Laws that are kept: a target that a rule forbids, or does not know, gets no request."""
    queue: QueueSettings = QueueSettings()
    """How much may wait for a replica, and for how long."""
    admission: AdmissionSettings = AdmissionSettings()
    """How full replicas are filled, and what counts until they were measured."""
    spill: SpillSettings = SpillSettings()
    """When requests are bought, and for how much at most."""
    circuit_breaker: CircuitBreakerSettings = CircuitBreakerSettings()
    """When replicas and providers that fail, or are busy, are left alone, and for how long."""
    stream: StreamConfig = StreamConfig()
    """Time limits of requests that were sent to a target."""
    http: HttpConfig = HttpConfig()
    """Pages that call from a browser."""
    telemetry: TelemetryConfig = TelemetryConfig()
    """Metrics and the access log."""

    _own_prices: tuple[Price, ...] = ()

    @model_validator(mode="after")
    def _read_prices(self) -> Self:
        """Once: a file that changes or goes later changes nothing until the next deploy."""
        if self.prices_file is not None:
            try:
                self._own_prices = own_prices(self.prices_file)
            except BadPriceBook as error:
                raise wrong_at(("prices_file",), str(error)) from None
        return self

    @property
    def own_prices(self) -> tuple[Price, ...]:
        """What ``prices_file`` says."""
        return self._own_prices

    def price_book(self, shipped: PriceBook) -> PriceBook:
        """The prices that hold: its own over those that are ``shipped``."""
        if self.prices_file is None:
            return shipped
        return PriceBook(self._own_prices, shipped, Path(self.prices_file).name)

    @model_validator(mode="after")
    def _one_tenant_per_key(self) -> Self:
        owners: dict[str, str] = {}
        for name, tenant in self.tenants.items():
            for index, digest in enumerate(tenant.key_sha256):
                if (owner := owners.setdefault(digest, name)) != name:
                    path = ("tenants", name, "key_sha256", index)
                    raise wrong_at(path, f"is the key of tenant {owner!r}, too: give each its own")
        return self

    @model_validator(mode="after")
    def _rules_are_no_models(self) -> Self:
        bought = {model for provider in self.providers.values() for model in provider.offers}
        if wrongs := called_as_models(self.rules, bought, ("rules",)):
            raise all_wrong(wrongs)
        return self

    def settings(self) -> Settings:
        return Settings(
            queue=self.queue,
            admission=self.admission,
            spill=self.spill,
            circuit_breaker=self.circuit_breaker,
            tenant_nano_per_hour={
                name: tenant.spill_usd_per_hour_max
                for name, tenant in self.tenants.items()
                if tenant.spill_usd_per_hour_max is not None
            },
        )

    def tag_terms(self, tenant: str) -> TagTerms:
        terms = self.tenants.get(tenant)
        return NO_TERMS if terms is None else terms.tag_terms

    def tenant_limits(self, tenant: str) -> TenantLimits | None:
        terms = self.tenants.get(tenant)
        return None if terms is None else terms.limits

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
    """Validates a configuration; ConfigError tells every problem in one line, each with its
    path."""
    config, found = read_config(data)
    if config is None:
        error = ConfigError(one_line(found))
        error.problems = tuple(map(str, found))
        raise error
    return config
