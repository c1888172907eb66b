"""Where requests may go by law: the configuration's facts and packs, made into a matrix."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import date
from hashlib import sha256

from runtime.config import GatewayConfig
from runtime.targets.provider_accounts import Account
from runtime.wire.tags import Sensitivity, Tags
from scheduler.compliance.compliance_matrix import Matrix
from scheduler.compliance.policy_pack import PolicyRule
from scheduler.compliance.request_traits import Protection, Traits
from scheduler.compliance.target_facts import TargetFacts

PROTECTION = {each: Protection[each.name] for each in Sensitivity}
VERSION_CHARS = 16
NOTHING_KNOWN = Matrix((), TargetFacts(), {})


def matrix_of(
    config: GatewayConfig, accounts: Mapping[str, Account], pools: Collection[str]
) -> Matrix:
    """``pools`` are the models that replicas here serve."""
    own = config.compliance.own.facts(pools, is_own=True)
    offers = {
        name: config.providers[account.offer.provider].facts.facts([account.offer.model])
        for name, account in accounts.items()
    }
    rules = config.compliance.rules
    return Matrix(rules, own, offers, version_of(rules, own, offers) if rules else "")


def version_of(
    rules: tuple[PolicyRule, ...], own: TargetFacts, offers: Mapping[str, TargetFacts]
) -> str:
    """Changes with any rule and any fact, and is the same in every process and after a restart."""
    parts = [[asdict(each) for each in rules], asdict(own)]
    told = {name: asdict(facts) for name, facts in offers.items()}
    text = json.dumps([*parts, told], default=_plain, sort_keys=True)
    return sha256(text.encode()).hexdigest()[:VERSION_CHARS]


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a version")


def traits_of(config: GatewayConfig, tenant: str, tags: Tags) -> Traits:
    """What rules may ask of a request of this tenant. Where its user is, an edge says of each
    request, and of all others the configuration: who does not say it may be anywhere."""
    protection, terms = PROTECTION[tags.sensitivity], config.tenants.get(tenant)
    if terms is None:
        return Traits(None, protection)
    user_in = tags.region if terms.is_edge else terms.home
    return Traits(user_in, protection, terms.data_classes)
