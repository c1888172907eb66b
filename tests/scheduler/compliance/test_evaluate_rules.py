"""The verdict on one target: against another way of working it out, and never by omission."""

from __future__ import annotations

from dataclasses import fields, replace

from hypothesis import given, settings

from scheduler.compliance.evaluate_rules import Forbidden, forbids
from scheduler.compliance.policy_pack import PolicyRule, Require, When
from scheduler.compliance.request_traits import Protection, Traits
from scheduler.compliance.target_facts import TargetFacts
from tests.scheduler.compliance import given as g
from tests.scheduler.compliance.slow import may_have

UNKNOWN = TargetFacts()


@settings(max_examples=500, deadline=None)
@given(rule=g.rules, traits=g.traits, facts=g.facts)
def test_as_the_slow_way_says(rule: PolicyRule, traits: Traits, facts: TargetFacts) -> None:
    verdict = forbids((rule,), traits, facts, g.TODAY)
    assert (verdict is None) == may_have((rule,), traits, facts, g.TODAY)


@given(rule=g.rules, traits=g.traits, facts=g.facts)
def test_forgetting_a_fact_allows_nothing(
    rule: PolicyRule, traits: Traits, facts: TargetFacts
) -> None:
    if forbids((rule,), traits, facts, g.TODAY) is None:
        return
    for field in fields(TargetFacts):
        forgotten = replace(facts, **{field.name: getattr(UNKNOWN, field.name)})
        assert forbids((rule,), traits, forgotten, g.TODAY) is not None


@given(rule=g.rules, traits=g.traits, facts=g.facts)
def test_more_protection_allows_nothing(
    rule: PolicyRule, traits: Traits, facts: TargetFacts
) -> None:
    if forbids((rule,), traits, facts, g.TODAY) is None:
        return
    for protection in Protection:
        if protection > traits.protection:
            raised = replace(traits, protection=protection)
            assert forbids((rule,), raised, facts, g.TODAY) is not None


@given(rule=g.rules, traits=g.traits, facts=g.facts)
def test_an_unknown_user_is_a_user_of_everywhere(
    rule: PolicyRule, traits: Traits, facts: TargetFacts
) -> None:
    nowhere = replace(traits, user_in=None)
    if forbids((rule,), nowhere, facts, g.TODAY) is None:
        for place in g.PLACES:
            assert forbids((rule,), replace(traits, user_in=place), facts, g.TODAY) is None


def test_the_verdict_names_the_rule_and_the_fact() -> None:
    rule = PolicyRule("pack/rule", When(), Require(no_training=True))
    traits = Traits("de", Protection.PUBLIC)
    assert forbids((rule,), traits, UNKNOWN, g.TODAY) == Forbidden(
        "pack/rule", "trains_on_data", is_known=False
    )
    stated = TargetFacts(trains_on_data=True)
    verdict = forbids((rule,), traits, stated, g.TODAY)
    assert str(verdict) == "pack/rule: trains_on_data does not allow it"
