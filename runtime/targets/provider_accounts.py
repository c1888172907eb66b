"""External accounts: each offer of the configuration as a target with a dated price."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from models.price_book import Price, PriceBook
from runtime.clock import SYSTEM, Clock
from runtime.config import GatewayConfig
from runtime.config_provider import ProviderConfig
from runtime.targets.connector import Connector
from runtime.targets.upstream import Upstream
from runtime.wire.dialect import Dialect, UpstreamModel
from runtime.wire.model_request import ModelRequest
from runtime.wire.tags import Sensitivity
from scheduler.offer import Offer

EPOCH, DAY_MS = date(1970, 1, 1), 86_400_000

log = logging.getLogger("baseload.providers")


@dataclass(frozen=True, slots=True)
class Account:
    """One offer, and the client that buys it."""

    offer: Offer
    upstream: Upstream
    speaks: UpstreamModel  # how the provider is asked
    sensitivities: frozenset[Sensitivity]  # what may be sent there
    served_as: frozenset[str] = frozenset()  # further names that its answers may bear
    refuses_other_model: bool = False

    @property
    def name(self) -> str:
        """The model's name at the provider."""
        return self.speaks.name

    def sells(self, dialect: Dialect, request: ModelRequest) -> bool:
        """Whether it has a price, and the provider can honour all that the request asks."""
        refused = dialect.refused_field(request, self.speaks)
        return refused is None and self.offer.price is not None

    @property
    def model(self) -> str:
        """The catalogue's name of it."""
        return self.offer.model

    def may_have(self, sensitivity: Sensitivity) -> bool:
        return sensitivity in self.sensitivities


def utc_today(clock: Clock = SYSTEM) -> date:
    """The day of which prices hold. Asked for every purchase, so a day is worked out once."""
    return _date(clock.unix_ms() // DAY_MS)


@lru_cache(2)
def _date(days: int) -> date:
    return EPOCH + timedelta(days)


def price_of(account: Account) -> Price:
    """The price of an eligible offer; the scheduler never buys where it is unknown."""
    if account.offer.price is None:
        raise RuntimeError(f"{account.offer.offer_id} was bought without a known price")
    return account.offer.price


def why_off(settings: ProviderConfig, environment: Mapping[str, str]) -> str | None:
    """Why nothing can be bought there; None: it can."""
    key = _key(settings, environment)
    if not key:
        return f"{settings.key_env} is not set"
    if not (key.isascii() and key.isprintable()):
        return f"{settings.key_env} holds characters that no header may hold"
    return None


def _key(settings: ProviderConfig, environment: Mapping[str, str]) -> str:
    return environment.get(settings.key_env, "").strip()  # a file's last line end comes along


def open_accounts(
    config: GatewayConfig, prices: PriceBook, connector: Connector, today: date
) -> dict[str, Account]:
    """Accounts by offer id. A provider whose key is not in the environment is left out."""
    accounts: dict[str, Account] = {}
    prices = config.price_book(prices)
    for provider, settings in config.providers.items():
        if (why := why_off(settings, os.environ)) is not None:
            log.warning("provider %s is off: %s", provider, why)
            continue
        url, key = settings.url.rstrip("/"), _key(settings, os.environ)
        for model in settings.offers:
            terms = settings.offer(model)
            price = prices.price_at(provider, terms.name, today)
            if price is None:
                why = prices.why_unknown(provider, terms.name, today)
                log.warning("offer %s/%s is never bought: %s", provider, terms.name, why)
            offer = Offer(
                offer_id=f"{provider}/{terms.name}",
                provider=provider,
                model=model,
                context_tokens_max=terms.context_tokens_max,
                in_flight_max=terms.in_flight_max,
                price=price,
                requests_per_min_max=terms.requests_per_min_max,
                tokens_per_min_max=terms.tokens_per_min_max,
                output_tokens_max=terms.output_tokens_max,
            )
            speaks = UpstreamModel(
                terms.name,
                is_vendor=True,
                answer_tokens_max=terms.output_tokens_max,
                terms=settings.terms(terms.name),
            )
            upstream = Upstream(connector, url, key, str(offer.target), speaks.terms)
            accounts[offer.offer_id] = Account(
                offer=offer,
                upstream=upstream,
                speaks=speaks,
                sensitivities=settings.allowed_sensitivity,
                served_as=terms.served_as,
                refuses_other_model=terms.refuses_other_model,
            )
    return accounts


def by_sensitivity(accounts: Mapping[str, Account]) -> dict[Sensitivity, frozenset[str]]:
    """The offers that requests of each sensitivity may be bought from."""
    return {
        each: frozenset(name for name, account in accounts.items() if account.may_have(each))
        for each in Sensitivity
    }
