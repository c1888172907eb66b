"""Which kinds of requests may go to which targets, asked of the matrix that every request asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from cluster.checks.data_flows.map_schema import Flow, Registered, Verdict
from cluster.checks.data_flows.recipients import Target, called, matrix_of_targets, registered
from cluster.checks.data_flows.tenant_kinds import (
    ELSEWHERE,
    TenantKind,
    UserIn,
    a_country_elsewhere,
    named_countries,
    users_of,
)
from runtime.config import GatewayConfig
from runtime.targets.build_compliance_matrix import PROTECTION
from runtime.wire.tags import Sensitivity
from scheduler.compliance.compliance_matrix import LOCAL
from scheduler.compliance.request_traits import Traits

ALLOWED, COMPLIANCE, SENSITIVITY, NOT_BOUGHT = "allowed", "compliance", "sensitivity", "not_bought"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of requests: all that decides where one may go, but for the day."""

    tenant: TenantKind
    user_in: UserIn
    sensitivity: Sensitivity


class Flows:
    """The flows of one configuration; verdicts are of the day that is asked for."""

    def __init__(self, config: GatewayConfig, targets: Sequence[Target]) -> None:
        self.targets = targets
        self.matrix = matrix_of_targets(config, targets)
        rules = config.compliance.rules
        self._sources = {rule.rule_id: rule.source for rule in rules}
        self._named = named_countries(rules, {each.name: each.facts for each in targets})
        self._elsewhere = a_country_elsewhere(self._named)

    def kinds(self, tenant: TenantKind) -> list[Kind]:
        users = users_of(tenant, self._named)
        return [Kind(tenant, user, each) for each in tenant.sensitivities for user in users]

    def verdict(self, kind: Kind, target: Target, day: date) -> Verdict:
        name, traits = target.name, self._traits(kind)
        forbidden = self.matrix.allowance(traits, day).forbidden.get(name)
        if forbidden is not None:
            return Verdict(
                target=name,
                code=COMPLIANCE,
                rule=forbidden.rule_id,
                source=self._sources[forbidden.rule_id],
                fact=forbidden.fact,
                fact_is_known=forbidden.is_known,
            )
        if kind.sensitivity not in target.sensitivities:
            return Verdict(target=name, code=SENSITIVITY)
        if name != LOCAL and not kind.tenant.may_buy:
            return Verdict(target=name, code=NOT_BOUGHT)
        found = self.matrix.grounds(name, traits, day)
        if found is None:  # without rules nothing was asked
            return Verdict(target=name, code=ALLOWED)
        return Verdict(
            target=name,
            code=ALLOWED,
            agreements=[called(each) for each in found.agreements],
            leaves_to=None if found.leaves_to is None else sorted(found.leaves_to),
            registered=self._registered(target, traits, day),
        )

    def _registered(self, target: Target, traits: Traits, day: date) -> list[Registered]:
        grounds = (self.matrix.grounds(target.name, traits, day, model) for model in target.models)
        found = [each.registration for each in grounds if each is not None]
        return [registered(each) for each in dict.fromkeys(found) if each is not None]

    def refused_models(self, verdicts: Sequence[Verdict]) -> list[str]:
        """Models of which no target may have the request."""
        allowed = {each.target for each in verdicts if each.code == ALLOWED}
        served = {model for target in self.targets for model in target.models}
        left = {
            model for target in self.targets if target.name in allowed for model in target.models
        }
        return sorted(served - left)

    def of(self, tenant: TenantKind, tenants: Sequence[str], day: date) -> list[Flow]:
        """Kinds that fare alike are one flow."""
        alike: dict[tuple[Sensitivity, str], list[UserIn]] = {}
        verdicts: dict[str, list[Verdict]] = {}
        for kind in self.kinds(tenant):
            found = [self.verdict(kind, target, day) for target in self.targets]
            text = "".join(each.model_dump_json() for each in found)
            verdicts[text] = found
            alike.setdefault((kind.sensitivity, text), []).append(kind.user_in)
        merged: dict[tuple[str, tuple[UserIn, ...]], list[str]] = {}
        for (sensitivity, text), users in alike.items():
            merged.setdefault((text, tuple(users)), []).append(sensitivity.value)
        return [
            Flow(
                tenants=list(tenants),
                users_in=list(users),
                sensitivities=sensitivities,
                data_classes=sorted(tenant.data_classes),
                verdicts=verdicts[text],
                refused_models=self.refused_models(verdicts[text]),
            )
            for (text, users), sensitivities in merged.items()
        ]

    def _traits(self, kind: Kind) -> Traits:
        user_in = self._elsewhere if kind.user_in == ELSEWHERE else kind.user_in
        return Traits(user_in, PROTECTION[kind.sensitivity], kind.tenant.data_classes)
