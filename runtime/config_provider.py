"""The section of one provider: an account with a vendor, and the models that it sells us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, model_validator

from models.config_values import ConfigSection
from models.vendors import VendorTerms, Wire, load_vendors
from runtime.config_facts import FactsConfig
from runtime.config_problems import wrong_at
from runtime.config_types import BaseUrl, ModelName, OfferName, VariableName, VendorName
from runtime.errors import ConfigError
from runtime.wire.tags import Sensitivity

SERVED_AS_MAX = 32  # names of one model


class OfferConfig(ConfigSection):
    """A catalogue model at a provider: its name there, and what the provider lets us send."""

    SAID_ELSEWHERE: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("price", "prices", "usd", "cost", "input_usd_per_mtok", "output_usd_per_mtok"),
        "prices stand in models/data/prices.yaml, under the provider and the name of the offer",
    )

    name: OfferName
    """What the provider calls the model, as where its price stands (`baseload prices`)."""
    context_tokens_max: int = Field(default=131_072, ge=1)
    """Tokens that prompt and answer may have together there; a longer request is not bought."""
    output_tokens_max: int | None = Field(default=None, ge=1)
    """Answer limit in tokens, sent where a caller names none; none counts a whole context."""
    in_flight_max: int = Field(default=64, ge=1)
    """Requests that may be under way at this offer at once."""
    requests_per_min_max: int | None = Field(default=None, ge=1)
    """Requests per minute of this model that the provider takes; none takes the provider's."""
    tokens_per_min_max: int | None = Field(default=None, ge=1)
    """Tokens per minute, prompt and answer, of this model; none takes the provider's."""
    served_as: frozenset[OfferName] = Field(default=frozenset(), max_length=SERVED_AS_MAX)
    """Further names that its answers may bear; a date behind its name is right by itself."""
    refuses_other_model: bool = False
    """Whether an answer of a model that is called otherwise is no answer: the next one is tried."""


def _named(given: Any) -> Any:
    return {"name": given} if isinstance(given, str) else given


class ProviderConfig(ConfigSection):
    """An external account. The key is read from the environment, never from the file."""

    base_url: BaseUrl | None = None
    """Where the provider's API is, `/v1` or its like included; none takes the vendor's own."""
    vendor: VendorName | None = None
    """Whose API it is, as in models/data/vendors.yaml; none is any that is OpenAI-compatible."""
    scope: str | None = None
    """Which of the vendor's places it is, where the vendor has several, such as singapore."""
    key_env: VariableName
    """Environment variable that holds the API key; while it is not set, nothing is bought."""
    region: str = "unknown"
    """Where the provider serves, for readers of this file; what laws ask for stands in `facts`."""
    facts: FactsConfig = FactsConfig()
    """What is known of it, for the policy packs in force; what is left out is unknown."""
    allowed_sensitivity: frozenset[Sensitivity] = frozenset(
        {Sensitivity.PUBLIC, Sensitivity.INTERNAL}
    )
    """Sensitivities of requests that may be sent there; all others never are."""
    requests_per_min_max: int | None = Field(default=None, ge=1)
    """Requests per minute that the provider takes, of each of its models by itself."""
    tokens_per_min_max: int | None = Field(default=None, ge=1)
    """Tokens per minute, prompt and answer, that it takes, of each of its models by itself."""
    offers: dict[ModelName, Annotated[OfferConfig, BeforeValidator(_named)]] = Field(min_length=1)
    """What is bought there, by the model's catalogue id; a name alone is an offer with defaults."""

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

    @model_validator(mode="after")
    def _known_vendor(self) -> Self:
        if self.vendor is None:
            if self.scope is not None:
                raise wrong_at(("scope",), "is one of a vendor, and no vendor is named")
            if self.base_url is None:
                raise wrong_at(("base_url",), "is missing, and no vendor is named that has one")
            return self
        fault = load_vendors().fault(self.vendor, self.scope, has_url=self.base_url is not None)
        if fault is not None:
            raise wrong_at((fault.at,), fault.says)
        for model, offer in self.offers.items():
            if self.speaks_messages and offer.output_tokens_max is None:
                wrong = "is missing: this vendor has to be told how long an answer may be"
                raise wrong_at(("offers", model, "output_tokens_max"), wrong)
        return self

    @property
    def url(self) -> str:
        """Where requests go."""
        if self.base_url is not None:
            return self.base_url
        url = load_vendors().by_name[self.vendor or ""].url(self.scope)
        if url is None:
            raise ConfigError(f"{self.vendor} has no URL of its own")
        return url

    @property
    def speaks_messages(self) -> bool:
        """Whether it is asked in Anthropic's form."""
        vendor = load_vendors().by_name.get(self.vendor or "")
        return vendor is not None and vendor.wire is Wire.ANTHROPIC

    def terms(self, name: str) -> VendorTerms | None:
        """What its vendor's documentation says of a model, by its name there; None of a vendor
        that is not named."""
        return None if self.vendor is None else load_vendors().by_name[self.vendor].terms(name)

    def offer(self, model: str) -> OfferConfig:
        offer = self.offers[model]
        return offer.model_copy(
            update={
                name: getattr(self, name)
                for name in ("requests_per_min_max", "tokens_per_min_max")
                if getattr(offer, name) is None
            }
        )
