"""Agreements that have ended or soon will, and what then may no longer go where it goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta

from cluster.checks.data_flows.flows import ALLOWED, Flows, Kind
from cluster.checks.data_flows.list_in_words import of_users, some
from cluster.checks.data_flows.map_schema import Ending
from cluster.checks.data_flows.recipients import Target, agreement
from cluster.checks.data_flows.tenant_kinds import TenantKind

SOON_DAYS = 60
_DAY = timedelta(1)


def endings(
    flows: Flows, tenants: Mapping[TenantKind, list[str]], today: date, soon_days: int = SOON_DAYS
) -> list[Ending]:
    """The first to end comes first."""
    found = [
        Ending(
            target=target.name,
            agreement=agreement(contract, today),
            lost=list(_lost(flows, tenants, target, contract.valid_until)),
        )
        for target in flows.targets
        for contract in target.facts.contracts
        if contract.valid_until is not None and contract.valid_until - today <= soon_days * _DAY
    ]
    return sorted(found, key=lambda each: (each.agreement.days_left or 0, each.target))


def _lost(
    flows: Flows, tenants: Mapping[TenantKind, list[str]], target: Target, last_day: date
) -> Iterator[str]:
    """What may go there on the last day, and not on the next."""
    after = last_day + _DAY
    for tenant, names in tenants.items():
        lost = [
            kind
            for kind in flows.kinds(tenant)
            if flows.verdict(kind, target, last_day).code == ALLOWED
            and flows.verdict(kind, target, after).code != ALLOWED
        ]
        if lost:
            left = sorted({model for kind in lost for model in _refused(flows, kind, after)})
            refused = f"; then nothing may answer it for {some(left)}" if left else ""
            yield f"{_said(lost)} of {some(names)}{refused}"


def _refused(flows: Flows, kind: Kind, day: date) -> list[str]:
    return flows.refused_models([flows.verdict(kind, target, day) for target in flows.targets])


def _said(kinds: Iterable[Kind]) -> str:
    kinds = list(kinds)
    sensitivities = dict.fromkeys(each.sensitivity.value for each in kinds)
    users = dict.fromkeys(each.user_in for each in kinds)
    return f"{', '.join(sensitivities)} of {of_users(list(users))}"
