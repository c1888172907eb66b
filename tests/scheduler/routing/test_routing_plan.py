"""Which candidates are left, in which order, and what is said of the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from scheduler.compliance.compliance_matrix import LOCAL, Allowance, Matrix
from scheduler.compliance.policy_pack import PolicyRule as ComplianceRule
from scheduler.compliance.policy_pack import Require, When
from scheduler.compliance.request_traits import Protection, Traits
from scheduler.compliance.target_facts import TargetFacts
from scheduler.routing.quality_table import Quality
from scheduler.routing.routing_plan import (
    CandidateStanding,
    Code,
    Place,
    PlaceVerdict,
    RoutingPlan,
    Step,
    plan,
)
from scheduler.routing.rule import (
    ANY_ABILITY,
    Abilities,
    Candidate,
    Choose,
    Needs,
    Rule,
    Substitute,
)
from scheduler.routing.sessions import Kept
from tests.scheduler.compliance import given as g

GOOD = Quality(0.9, 0.88, 0.92, 500)
POOR = Quality(0.5, 0.48, 0.52, 500)
HOME = ComplianceRule("pipl/stays", When(), Require(inference_within=frozenset({"home"})))
IN_CHINA = TargetFacts(inference_jurisdictions=frozenset({"cn"}))
MAINLAND = Traits("cn", Protection.PII)


def standing(
    model: str,
    *,
    quality: Quality = GOOD,
    nano: int | None = 1_000,
    candidate: Candidate | None = None,
    abilities: Abilities = ANY_ABILITY,
) -> CandidateStanding:
    place = Place(f"v/{model}", nano, None if nano is None else 4 * nano)
    return CandidateStanding(candidate or Candidate(model), abilities, quality, (place,))


def planned(
    rule: Rule,
    *standings: CandidateStanding,
    needs: Needs | None = None,
    facts: Mapping[str, TargetFacts] | None = None,
    kept: Kept | None = None,
) -> RoutingPlan:
    """``facts`` are of targets that are not in China."""
    places = (place for each in standings for place in each.places)
    offers = {place.target: (facts or {}).get(place.target, IN_CHINA) for place in places}
    matrix = Matrix((HOME,), offers.pop(LOCAL, IN_CHINA), offers)
    return plan(rule, standings, needs or Needs(), matrix.allowance(MAINLAND, g.TODAY), kept)


def rule(**changes: Any) -> Rule:
    return replace(Rule("r", frozenset({"code"}), ()), **changes)


def models(found: RoutingPlan) -> list[str]:
    return [step.model for step in found.steps]


def codes(found: RoutingPlan) -> dict[str, Code | None]:
    return {each.model: each.code for each in found.verdicts}


def test_in_order_as_they_are_written() -> None:
    found = planned(rule(), standing("dear", nano=9_000), standing("cheap", nano=1))
    assert models(found) == ["dear", "cheap"]
    assert found.steps[0] == Step("dear", is_local=False, offers=frozenset({"v/dear"}))


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
    cannot = Abilities(tools=False, images=False, structured_output=False, context_tokens_max=100)
    for needs, lacking in (
        (Needs(context_tokens=101), "context"),
        (Needs(tools=True), "tools"),
        (Needs(images=True), "images"),
        (Needs(structured_output=True), "structured_output"),
    ):
        found = planned(rule(), standing("m", abilities=cannot), standing("n"), needs=needs)
        assert models(found) == ["n"]
        assert [each.detail for each in found.verdicts] == [lacking, ""]
        by_rule = planned(rule(needs=needs), standing("m", abilities=cannot))
        assert [(each.code, each.detail) for each in by_rule.verdicts] == [(Code.ABILITY, lacking)]
    able = planned(rule(), standing("m", abilities=cannot), needs=Needs(context_tokens=100))
    assert models(able) == ["m"]


def test_a_place_has_a_context_of_its_own() -> None:
    here = Place(LOCAL, 0, 0, context_tokens_max=4_096)
    there = Place("v/m", 1, 4, context_tokens_max=131_072)
    both = CandidateStanding(Candidate("m"), ANY_ABILITY, GOOD, (here, there))
    (step,) = planned(rule(), both, needs=Needs(context_tokens=4_097)).steps
    assert step == Step("m", is_local=False, offers=frozenset({"v/m"}))
    (step,) = planned(rule(), both, needs=Needs(context_tokens=4_096)).steps
    assert step == Step("m", is_local=True, offers=frozenset({"v/m"}))


def test_the_language_of_a_request_is_a_hint_and_that_of_a_rule_is_not() -> None:
    english = standing("english", abilities=Abilities(languages=frozenset({"en"})))
    chinese = standing("chinese", abilities=Abilities(languages=frozenset({"en", "zh"})))
    in_chinese, in_thai = (Needs(languages=frozenset({code})) for code in ("zh", "th"))
    assert models(planned(rule(), english, chinese, needs=in_chinese)) == ["chinese"]
    assert models(planned(rule(), english, chinese, needs=in_thai)) == ["english", "chinese"]
    strict = rule(needs=in_chinese)
    assert models(planned(strict, english, chinese, needs=in_thai)) == ["chinese"]
    found = planned(strict, english)
    assert [(each.code, each.detail) for each in found.verdicts] == [(Code.ABILITY, "language")]


def test_a_setting_that_keeps_a_request_from_a_place_is_named() -> None:
    kept = Place("v/kept", 1, 1, withheld="allowed_sensitivity")
    found = planned(
        rule(), CandidateStanding(Candidate("m"), ANY_ABILITY, GOOD, (kept,)), standing("n")
    )
    assert models(found) == ["n"]
    assert found.verdicts[0] == PlaceVerdict("m", "v/kept", Code.WITHHELD, "allowed_sensitivity")


def test_a_target_that_the_matrix_does_not_know_is_forbidden() -> None:
    nothing = Allowance(frozenset(), True, {})
    found = plan(rule(), (standing("m"),), Needs(), nothing)
    assert found.is_forbidden
    assert [each.detail for each in found.verdicts] == ["unknown target"]


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
    capped = rule(cost_nano_max=4_000)
    found = planned(
        capped, standing("a", nano=1_000), standing("b", nano=1_001), standing("c", nano=None)
    )
    assert models(found) == ["a"]
    assert codes(found) == {"a": None, "b": Code.COST, "c": Code.COST}


def test_nothing_is_left_for_the_laws_sake() -> None:
    away = TargetFacts(inference_jurisdictions=frozenset({"us"}))
    facts = {"v/a": away, "v/b": TargetFacts()}
    found = planned(rule(cost_nano_max=0), standing("a"), standing("b"), facts=facts)
    assert found.is_forbidden
    assert [(each.code, each.detail) for each in found.verdicts] == [
        (Code.COMPLIANCE, "pipl/stays: inference_jurisdictions does not allow it"),
        (Code.COMPLIANCE, "pipl/stays: inference_jurisdictions unknown"),
    ]
    assert not planned(rule(cost_nano_max=0), standing("a")).is_forbidden
    assert not planned(rule(), standing("a"), standing("c"), facts=facts).is_forbidden


def test_a_model_that_nobody_serves_is_said() -> None:
    found = planned(rule(), CandidateStanding(Candidate("m"), ANY_ABILITY, GOOD, ()))
    assert codes(found) == {"m": Code.NOT_SERVED}
    assert found.steps == ()


def test_limits_and_substitution_travel_with_the_step() -> None:
    limited = rule(first_token_ms_max=800)
    second = Candidate("b", Substitute.FAILURE, first_token_ms_max=1_200)
    found = planned(limited, standing("a"), standing("b", candidate=second))
    assert [step.first_token_ms_max for step in found.steps] == [800, 1_200]
    assert [step.substitute for step in found.steps] == [Substitute.OVERLOAD, Substitute.FAILURE]


@pytest.mark.parametrize("choose", Choose)
def test_no_candidate_no_step(choose: Choose) -> None:
    assert planned(rule(choose=choose)) == RoutingPlan(rule(choose=choose), (), ())
