"""The kinds of requests that a configuration can get: whose, about whom, and how protected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from runtime.config import GatewayConfig
from runtime.config_tenant import TenantConfig
from runtime.wire.tags import Sensitivity, stricter
from scheduler.compliance.jurisdictions import COUNTRIES, GROUPS, expanded
from scheduler.compliance.policy_pack import PolicyRule
from scheduler.compliance.target_facts import TargetFacts

LOCAL_TENANT = "local"  # of the key that a start makes
ELSEWHERE = "elsewhere"

UserIn = str | None


@dataclass(frozen=True, slots=True)
class TenantKind:
    """What of a tenant decides where its requests may go."""

    home: str | None = None
    is_edge: bool = False
    floor: Sensitivity = Sensitivity.PUBLIC
    data_classes: frozenset[str] = frozenset()
    may_buy: bool = True

    @property
    def sensitivities(self) -> list[Sensitivity]:
        """That its requests can have."""
        return [each for each in Sensitivity if stricter(each, self.floor) is each]


def tenant_kinds(config: GatewayConfig, *, has_local_key: bool) -> dict[TenantKind, list[str]]:
    """The kinds of tenants, with the tenants of each. The key that a start makes is a tenant's that
    is not configured."""
    found: dict[TenantKind, list[str]] = {}
    if has_local_key and LOCAL_TENANT not in config.tenants:
        found[TenantKind(may_buy=config.may_buy(LOCAL_TENANT))] = [LOCAL_TENANT]
    for name, terms in config.tenants.items():
        found.setdefault(_kind(terms, config.may_buy(name)), []).append(name)
    return found


def _kind(terms: TenantConfig, may_buy: bool) -> TenantKind:
    floor = terms.tag_terms.floor
    return TenantKind(terms.home, terms.is_edge, floor, terms.data_classes, may_buy)


def users_of(kind: TenantKind, named: Sequence[str]) -> list[UserIn]:
    """Where they can be. An edge may say any country, and may say none."""
    return [None, *named, ELSEWHERE] if kind.is_edge else [kind.home]


def named_countries(rules: Sequence[PolicyRule], facts: Mapping[str, TargetFacts]) -> list[str]:
    """Those of which a rule or a fact says something; all others fare alike."""
    return sorted(COUNTRIES & set(_named(rules, facts)))


def _named(rules: Sequence[PolicyRule], facts: Mapping[str, TargetFacts]) -> Iterator[str]:
    for rule in rules:
        require = rule.require
        for codes in (rule.when.users_in, require.inference_within, require.storage_within):
            yield from expanded(codes or ())
    for each in facts.values():
        yield from expanded(each.inference_jurisdictions or ())
        yield from expanded(each.storage_regions or ())
        yield from (registration.jurisdiction for registration in each.registrations)
        for contract in each.contracts:
            yield from expanded(contract.sources)


def a_country_elsewhere(named: Sequence[str]) -> str | None:
    """One that stands for all that are not named."""
    others = COUNTRIES - set(named) - GROUPS["eea"]
    return min(others, default=None)
