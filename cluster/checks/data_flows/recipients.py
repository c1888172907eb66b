"""The targets of a configuration: what is stated of each, and who may have what there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from cluster.checks.data_flows.map_schema import Agreement, Recipient, Registered
from runtime.config import GatewayConfig
from runtime.routing.rule_restriction import facts_by_target
from runtime.targets.build_compliance_matrix import version_of
from runtime.wire.tags import Sensitivity
from scheduler.compliance.compliance_matrix import LOCAL, Matrix
from scheduler.compliance.target_facts import Contract, ModelRegistration, TargetFacts


@dataclass(frozen=True, slots=True)
class Target:
    """``sensitivities`` are those that its provider may have, whatever the laws say."""

    name: str
    facts: TargetFacts
    models: tuple[str, ...]
    sensitivities: frozenset[Sensitivity]


def targets_of(config: GatewayConfig, pools: Sequence[str]) -> list[Target]:
    """``pools`` are the models that replicas here serve: without one, nothing is local."""
    facts, found = facts_by_target(config, pools), []
    if pools:
        models = tuple(sorted(set(pools)))
        found.append(Target(LOCAL, facts[LOCAL], models, frozenset(Sensitivity)))
    for provider, terms in config.providers.items():
        for model, offer in terms.offers.items():
            name = f"{provider}/{offer.name}"
            found.append(Target(name, facts[name], (model,), terms.allowed_sensitivity))
    return found


def matrix_of_targets(config: GatewayConfig, targets: Sequence[Target]) -> Matrix:
    """The matrix as a gateway has it, though for every provider: whether its key is there is not
    asked."""
    models = [each for target in targets if target.name == LOCAL for each in target.models]
    own = config.compliance.own.facts(models, is_own=True)
    offers = {target.name: target.facts for target in targets if target.name != LOCAL}
    rules = config.compliance.rules
    return Matrix(rules, own, offers, version_of(rules, own, offers))


def recipient(target: Target, today: date) -> Recipient:
    facts = target.facts
    return Recipient(
        target=target.name,
        models=list(target.models),
        operator=facts.operator,
        operator_jurisdiction=facts.operator_jurisdiction,
        storage_regions=_listed(facts.storage_regions),
        inference_jurisdictions=_listed(facts.inference_jurisdictions),
        retention_days=facts.retention_days,
        trains_on_data=facts.trains_on_data,
        open_weights=facts.open_weights,
        allowed_sensitivity=[each.value for each in Sensitivity if each in target.sensitivities],
        agreements=[agreement(each, today) for each in facts.contracts],
        registrations=[registered(each) for each in facts.registrations],
        documents=sorted(facts.documents),
    )


def agreement(contract: Contract, today: date) -> Agreement:
    until = contract.valid_until
    return Agreement(
        kind=contract.kind,
        reference=contract.reference,
        valid_until=until,
        days_left=None if until is None else (until - today).days,
        sources=sorted(contract.sources),
        destinations=sorted(contract.destinations),
    )


def registered(registration: ModelRegistration) -> Registered:
    return Registered(
        jurisdiction=registration.jurisdiction,
        number=registration.number,
        model_name=registration.model_name,
    )


def called(contract: Contract) -> str:
    return f"{contract.kind} {contract.reference}"


def _listed(places: Iterable[str] | None) -> list[str] | None:
    return None if places is None else sorted(places)
