"""The same question answered slowly, country by country: the oracle of the tests."""

from __future__ import annotations

from datetime import date

from scheduler.compliance.policy_pack import PolicyRule
from scheduler.compliance.request_traits import Traits
from scheduler.compliance.target_facts import TargetFacts

COUNTRIES = """at be bg hr cy cz dk ee fi fr de gr hu ie it lv lt lu mt nl pl pt ro sk si es se
is li no cn hk sg us gb ch jp kr ad ar fo gg il im je nz uy my in br anywhere""".split()
EU = COUNTRIES[:27]
EEA = COUNTRIES[:30]


def holds(codes: object, country: str, home: str | None) -> bool:
    for code in codes or ():  # type: ignore[attr-defined]
        if code == country or (code == "home" and country == home):
            return True
        if code == "eu" and country in EU:
            return True
        if code == "eea" and country in EEA:
            return True
        if code == "anywhere":
            return True
    return False


def stays(
    where: object, within: object, rule: PolicyRule, traits: Traits, facts: TargetFacts, today: date
) -> bool:
    if within is None:
        return True
    if not where:
        return False
    if "home" in within and traits.user_in is None:  # type: ignore[operator]
        return False
    for country in COUNTRIES:
        if not holds(set(where) - {"anywhere"}, country, None) and country not in where:  # type: ignore[call-overload, operator]
            continue
        if holds(within, country, traits.user_in):
            continue
        excuses = [
            contract
            for contract in facts.contracts
            if contract.kind in rule.require.or_transfer
            and contract.valid_until is not None
            and contract.valid_until >= today
            and traits.user_in is not None
            and holds(contract.sources - {"anywhere"}, traits.user_in, None)
            and (
                holds(contract.destinations - {"anywhere"}, country, None)
                or country in contract.destinations
            )
        ]
        if not excuses:
            return False
    return True


def applies(rule: PolicyRule, traits: Traits) -> bool:
    where, classes = rule.when.users_in, rule.when.data_classes
    if where is not None and traits.user_in is not None and traits.user_in not in where:
        return False
    if classes is not None and not any(each in traits.data_classes for each in classes):
        return False
    return int(traits.protection) >= int(rule.when.protection_min)


def satisfied(rule: PolicyRule, traits: Traits, facts: TargetFacts, today: date) -> bool:
    need = rule.require
    valid = {
        c.kind for c in facts.contracts if c.valid_until is not None and c.valid_until >= today
    }
    answers = [
        stays(facts.inference_jurisdictions, need.inference_within, rule, traits, facts, today),
        stays(facts.storage_regions, need.storage_within, rule, traits, facts, today),
        need.operator_in is None
        or (
            facts.operator_jurisdiction is not None
            and not ("home" in need.operator_in and traits.user_in is None)
            and holds(need.operator_in, facts.operator_jurisdiction, traits.user_in)
        ),
        not need.is_registered
        or any(each.jurisdiction == traits.user_in for each in facts.registrations),
        not need.open_weights or facts.open_weights is True,
        not need.no_training or facts.trains_on_data is False,
        need.retention_days_max is None
        or (facts.retention_days is not None and facts.retention_days <= need.retention_days_max),
        not need.contracts or facts.is_own or bool(need.contracts & valid),
        all(document in facts.documents for document in need.documents),
    ]
    return all(answers)


def may_have(
    rules: tuple[PolicyRule, ...], traits: Traits, facts: TargetFacts, today: date
) -> bool:
    return all(satisfied(rule, traits, facts, today) for rule in rules if applies(rule, traits))
