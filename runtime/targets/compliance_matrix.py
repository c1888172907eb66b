"""Where requests may go by law: the configuration's facts and packs, made into a matrix."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.config import GatewayConfig
from runtime.targets.providers import Account
from runtime.wire.tags import Sensitivity
from scheduler.compliance.facts import TargetFacts
from scheduler.compliance.matrix import Matrix
from scheduler.compliance.traits import Protection, Traits

PROTECTION = {each: Protection[each.name] for each in Sensitivity}
NOTHING_KNOWN = Matrix((), TargetFacts(), {})


def matrix_of(config: GatewayConfig, accounts: Mapping[str, Account]) -> Matrix:
    own = config.compliance.own.facts(is_own=True)
    offers = {
        name: config.providers[account.offer.provider].facts.facts()
        for name, account in accounts.items()
    }
    return Matrix(config.compliance.rules, own, offers)


def traits_of(config: GatewayConfig, tenant: str, sensitivity: Sensitivity) -> Traits:
    """What rules may ask of a request of this tenant."""
    terms = config.tenants.get(tenant)
    if terms is None:
        return Traits(None, PROTECTION[sensitivity])
    return Traits(terms.home, PROTECTION[sensitivity], terms.data_classes)
