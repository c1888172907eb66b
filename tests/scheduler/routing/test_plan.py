"""Which candidates are left, in which order, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.compliance.facts import TargetFacts
from scheduler.compliance.rules import Require, When
from scheduler.compliance.rules import Rule as ComplianceRule
from scheduler.compliance.traits import Protection, Traits
from scheduler.routing.plan import Code, Place, Plan, Standing, plan
from scheduler.routing.quality import Quality
from scheduler.routing.rule import Abilities, Candidate, Choose, Needs, Rule, Substitute
from tests.scheduler.compliance import given as g
from tests.scheduler.compliance.slow import may_have

GOOD = Quality(0.9, 0.88, 0.92, 500)
POOR = Quality(0.5, 0.48, 0.52, 500)
HOME = ComplianceRule("pipl/stays", When(), Require(inference_within=frozenset({"home"})))
IN_CHINA = TargetFacts(inference_jurisdictions=frozenset({"cn"}))
MAINLAND = Traits("cn", Protection.PII)


def standing(
    model: str,
    *,
    quality: Quality = GOOD,
    facts: TargetFacts = IN_CHINA,
    nano: int | None = 1_000,
    candidate: Candidate | None = None,
    context: int = 8_192,
) -> Standing:
    place = Place(f"offer:v/{model}", facts, nano, None if nano is None else 4 * nano)
    abilities = Abilities(context_tokens_max=context)
    return Standing(candidate or Candidate(model), abilities, quality, (place,))


def planned(rule: Rule, *standings: Standing, needs: Needs | None = None) -> Plan:
    needs = needs or Needs()
    return plan(rule, standings, needs, MAINLAND, (HOME,), g.TODAY)


def rule(**changes: Any) -> Rule:
    return replace(Rule("r", frozenset({"code"}), ()), **changes)


def models(found: Plan) -> list[str]:
    return [step.model for step in found.steps]


def codes(found: Plan) -> dict[str, Code | None]:
    return {each.model: each.code for each in found.verdicts}


def test_in_order_as_they_are_written() -> None:
    found = planned(rule(), standing("dear", nano=9_000), standing("cheap", nano=1))
    assert models(found) == ["dear", "cheap"]
    assert found.steps[0].targets == {"offer:v/dear"}


def test_the_cheapest_first_and_unknown_costs_last() -> None:
    by_cost = rule(choose=Choose.CHEAPEST)
    found = planned(
        by_cost, standing("unknown", nano=None), standing("b", nano=9), standing("a", nano=1)
    )
    assert models(found) == ["a", "b", "unknown"]


def test_the_best_value_at_the_rules_rate() -> None:
    good = standing("good", quality=GOOD, nano=10_000_000)
    poor = standing("poor", quality=POOR, nano=1_000_000)
    unknown = standing("unknown", quality=GOOD, nano=None)
    by_value = rule(choose=Choose.BEST_VALUE)
    assert models(planned(by_value, poor, good)) == ["good", "poor"]
    assert models(planned(by_value, poor, unknown)) == ["unknown", "poor"]  # money weighs nothing
    thrifty = replace(by_value, score_per_usd=100.0)
    assert models(planned(thrifty, unknown, good, poor)) == ["poor", "good", "unknown"]


def test_what_a_model_cannot_do_is_named() -> None:
    found = planned(rule(), standing("m", context=100), needs=Needs(context_tokens=101))
    assert models(found) == []
    assert [(each.code, each.detail) for each in found.verdicts] == [(Code.ABILITY, "context")]
    found = planned(rule(needs=Needs(tools=True)), standing("m"))
    assert [each.detail for each in found.verdicts] == ["tools"]


def test_a_candidates_own_floor_counts_instead_of_the_rules() -> None:
    floored = rule(quality_floor=0.8)
    lenient = Candidate("lenient", quality_floor=0.4)
    found = planned(
        floored,
        standing("poor", quality=POOR),
        standing("lenient", quality=POOR, candidate=lenient),
    )
    assert models(found) == ["lenient"]
    assert codes(found)["poor"] is Code.QUALITY


def test_a_ceiling_forbids_what_may_cost_more_or_nobody_knows_what() -> None:
    capped = rule(cost_max_nano=4_000)
    found = planned(
        capped, standing("a", nano=1_000), standing("b", nano=1_001), standing("c", nano=None)
    )
    assert models(found) == ["a"]
    assert codes(found) == {"a": None, "b": Code.COST, "c": Code.COST}


def test_nothing_is_left_for_the_laws_sake() -> None:
    away = TargetFacts(inference_jurisdictions=frozenset({"us"}))
    found = planned(rule(), standing("a", facts=away), standing("b", facts=TargetFacts()))
    assert found.is_forbidden
    assert [each.detail for each in found.verdicts] == [
        "pipl/stays: inference_jurisdictions does not allow it",
        "pipl/stays: inference_jurisdictions unknown",
    ]
    assert not planned(rule(cost_max_nano=0), standing("a")).is_forbidden


def test_a_model_that_nobody_serves_is_said() -> None:
    found = planned(rule(), Standing(Candidate("m"), Abilities(1), GOOD, ()))
    assert codes(found) == {"m": Code.NOT_SERVED}
    assert found.steps == ()


def test_limits_and_substitution_travel_with_the_step() -> None:
    limited = rule(first_token_ms_max=800)
    second = Candidate("b", Substitute.FAILURE, first_token_ms_max=1_200)
    found = planned(limited, standing("a"), standing("b", candidate=second))
    assert [step.first_token_ms_max for step in found.steps] == [800, 1_200]
    assert [step.substitute for step in found.steps] == [Substitute.OVERLOAD, Substitute.FAILURE]


@settings(max_examples=200, deadline=None)
@given(
    compliance=st.lists(g.rules, max_size=3).map(tuple),
    traits=g.traits,
    facts=st.lists(g.facts, min_size=1, max_size=4),
    choose=st.sampled_from(Choose),
    named=st.booleans(),
)
def test_no_order_and_no_rule_lets_a_forbidden_target_in(
    compliance: tuple[ComplianceRule, ...],
    traits: Traits,
    facts: list[TargetFacts],
    choose: Choose,
    named: bool,
) -> None:
    standings = [standing(f"m{n}", facts=each) for n, each in enumerate(facts)]
    if named:
        standings = standings[:1]
    found = plan(rule(choose=choose), standings, Needs(), traits, compliance, g.TODAY)
    allowed = {
        f"m{n}"
        for n, each in enumerate(facts[: len(standings)])
        if may_have(compliance, traits, each, g.TODAY)
    }
    assert set(models(found)) == allowed
    assert len(found.verdicts) == len(standings)
    assert found.is_forbidden == (not allowed)


@pytest.mark.parametrize("choose", Choose)
def test_no_candidate_no_step(choose: Choose) -> None:
    assert planned(rule(choose=choose)) == Plan("r", (), ())
