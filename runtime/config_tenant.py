"""The section of one tenant: who calls, what counts where its requests do not say, how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from models.config_values import ConfigSection, UsdPerHour, written
from runtime.config_facts import FACTS_MAX, Country
from runtime.config_problems import Path, all_wrong
from runtime.config_types import KeyHashes, TenantName
from runtime.key_hash import LOCAL_TENANT
from runtime.policy_packs import DataClass
from runtime.request_limits import LIMITS
from runtime.wire.tag_terms import TagTerms
from runtime.wire.tags import (
    LABEL,
    LOCALE,
    NO_TAGS,
    CostTier,
    Sensitivity,
    allowed_value,
    stricter,
)
from scheduler.tenant_limits import TenantLimits

TENANTS_MAX = 10_000

RequiredTag = Literal[
    "feature",
    "task",
    "locale",
    "sensitivity",
    "region",
    "latency_budget_ms",
    "cost_tier",
    "deadline",
]
Label = Annotated[str, AfterValidator(lambda text: allowed_value("task", text)), written(LABEL)]
Locale = Annotated[str, AfterValidator(lambda text: allowed_value("locale", text)), written(LOCALE)]


class TenantDefaults(ConfigSection):
    """What counts where a request does not say."""

    feature: Label | None = None
    """The part of your product that asks."""
    task: Label | None = None
    """The kind of work."""
    locale: Locale | None = None
    """The language of the answer."""
    sensitivity: Sensitivity | None = None
    """What its requests hold; none counts as internal."""
    latency_budget_ms: int | None = Field(default=None, ge=1, le=LIMITS.latency_budget_ms_max)
    """How long it waits for the first token, in ms; none has `ttft_budget_ms`."""
    cost_tier: CostTier | None = None
    """Its class in the queue; none counts as standard."""

    def stated(self) -> dict[str, Any]:
        return {name: value for name, value in self if value is not None}


class TenantConfig(ConfigSection):
    """Who may call."""

    key_sha256: KeyHashes = Field(default_factory=list)
    """SHA-256 hashes of the keys that call as this tenant (`baseload key`); `local` has none."""
    spill_usd_per_hour_max: UsdPerHour | None = None
    """USD per hour that its purchases may cost; none has the common cap alone, "0" forbids them."""
    home: Country | None = None
    """The country of its users, such as cn; none counts as every country that a rule names."""
    is_admin: bool = False
    """Whether its keys may see the configuration in force, at `/v1/config`."""
    is_edge: bool = False
    """Whether it is a server that says in `X-Baseload-Region` where each request's user is."""
    data_classes: frozenset[DataClass] = Field(default=frozenset(), max_length=FACTS_MAX)
    """Classes of data that all its requests hold, such as phi (health, of HIPAA)."""
    defaults: TenantDefaults = TenantDefaults()
    """Tags of requests that do not say them."""
    required: frozenset[RequiredTag] = frozenset()
    """Tags without which a request is refused, such as feature and task."""
    sensitivity_floor: Sensitivity | None = None
    """What no request counts as less than; none has the sensitivity of `defaults`."""
    requests_per_min_max: int | None = Field(default=None, ge=1)
    """Requests that are served per minute; none has no such limit."""
    tokens_per_min_max: int | None = Field(default=None, ge=1)
    """Tokens per minute, prompt and answer: estimated as they come, corrected as they end."""
    in_flight_max: int | None = Field(default=None, ge=1)
    """Requests that may be under way at once, those that wait included."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if wrongs := list(self._contradictions()):
            raise all_wrong(wrongs)
        return self

    def _contradictions(self) -> Iterator[tuple[Path, str]]:
        for name in sorted(self.required & self.defaults.stated().keys()):
            yield ("required",), f"{name} has a default, so that no request is without it"
        if "region" in self.required and not self.is_edge:
            yield ("required",), "region may only be said where is_edge is true"
        if self.is_edge and self.home is not None:
            wrong = "an edge says where each user is: leave home out, or is_edge"
            yield ("home",), f"{wrong}. Requests without the header count as every country"
        floor, default = self.sensitivity_floor, self.defaults.sensitivity
        if floor and default and stricter(floor, default) is not default:
            yield (
                ("sensitivity_floor",),
                f"is above the default, {default.value}, which never counts",
            )

    # Cached, not private: those are found in several steps, and each request asks.
    @cached_property
    def tag_terms(self) -> TagTerms:
        tags = replace(NO_TAGS, **self.defaults.stated())
        floor = self.sensitivity_floor or self.defaults.sensitivity or Sensitivity.PUBLIC
        tags = replace(tags, sensitivity=stricter(tags.sensitivity, floor))
        return TagTerms(tags, self.required, floor, self.home, self.is_edge)

    @cached_property
    def limits(self) -> TenantLimits | None:
        """None where there are none, so that nobody counts."""
        per_min = self.requests_per_min_max, self.tokens_per_min_max
        limits = TenantLimits(*per_min, self.in_flight_max)
        return None if limits == TenantLimits() else limits


def _read_tenants(given: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """Who lacks a key is said together with what is wrong within tenants."""
    wrongs = list(_keyless(given)) if isinstance(given, Mapping) else []
    try:
        tenants = read(given)
    except ValidationError as error:
        raise all_wrong(wrongs, error) from None
    if wrongs:
        raise all_wrong(wrongs)
    return tenants


def _keyless(tenants: Mapping[Any, Any]) -> Iterator[tuple[Path, str]]:
    """Of tenants as they are written: each has keys, but for the one whose key a start makes."""
    for name, terms in tenants.items():
        has_keys = bool(getattr(terms, "key_sha256", ()))
        if isinstance(terms, Mapping):
            has_keys = "key_sha256" in terms
        if name == LOCAL_TENANT and has_keys:
            wrong = f"{name!r} is the tenant of the key that `local_key` makes: it has no others"
            yield (name,), f"{wrong}. Choose another name, or leave key_sha256 out"
        elif name != LOCAL_TENANT and isinstance(terms, Mapping | TenantConfig) and not has_keys:
            yield (name, "key_sha256"), "is missing"


Tenants = Annotated[
    dict[TenantName, TenantConfig],
    Field(max_length=TENANTS_MAX),
    WrapValidator(_read_tenants),
]
