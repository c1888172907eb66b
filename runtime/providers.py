"""External accounts: each offer of the configuration as a target with a dated price."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from models.prices import Price, PriceBook
from runtime.config import GatewayConfig
from runtime.http.connector import Connector
from runtime.http.tags import Sensitivity
from runtime.upstream import Upstream
from scheduler.offer import Offer

log = logging.getLogger("baseload.providers")


@dataclass(frozen=True, slots=True)
class Account:
    """One offer, and the client that buys it."""

    offer: Offer
    upstream: Upstream
    name: str  # the model's name at the provider
    sensitivities: frozenset[Sensitivity]  # what may be sent there

    def may_have(self, sensitivity: Sensitivity) -> bool:
        return sensitivity in self.sensitivities


def utc_today() -> date:
    """Of which day prices hold."""
    return datetime.now(UTC).date()


def price_of(account: Account) -> Price:
    """The price of an eligible offer; the scheduler never buys where it is unknown."""
    if account.offer.price is None:
        raise RuntimeError(f"{account.offer.offer_id} was bought without a known price")
    return account.offer.price


def open_accounts(
    config: GatewayConfig, prices: PriceBook, connector: Connector, today: date
) -> dict[str, Account]:
    """Accounts by offer id. A provider whose key is not in the environment is left out."""
    accounts: dict[str, Account] = {}
    for provider, settings in config.providers.items():
        key = os.environ.get(settings.key_env, "").strip()  # a file's last line end comes along
        if not key:
            log.warning("provider %s is off: set %s to use it", provider, settings.key_env)
            continue
        try:
            upstream = Upstream(connector, settings.base_url.rstrip("/"), key)
        except ValueError as error:
            log.warning("provider %s is off: %s (%s)", provider, error, settings.key_env)
            continue
        for model in settings.offers:
            terms = settings.offer(model)
            price = prices.price_at(provider, terms.name, today)
            if price is None:
                log.warning("offer %s/%s has no known price: never bought", provider, terms.name)
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
            named = replace(upstream, name=f"offer:{offer.offer_id}")
            accounts[offer.offer_id] = Account(
                offer, named, terms.name, settings.allowed_sensitivity
            )
    return accounts
