"""What a verdict rests on: only what the rules that apply ask for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from scheduler.compliance.compliance_matrix import LOCAL, Matrix
from scheduler.compliance.policy_pack import PolicyRule, Require, When
from scheduler.compliance.request_traits import Protection, Traits
from scheduler.compliance.target_facts import (
    Contract,
    ModelRegistration,
    TargetFacts,
    registrations_for,
)
from scheduler.compliance.verdict_grounds import grounds, leaves_to

TODAY = date(2026, 11, 30)
STAYS = PolicyRule(
    "law/stays",
    When(frozenset({"cn"}), Protection.PII),
    Require(
        inference_within=frozenset({"home"}),
        storage_within=frozenset({"home"}),
        or_transfer=frozenset({"CAC-contract"}),
    ),
)
KNOWN = PolicyRule("law/known", When(frozenset({"cn"})), Require(is_registered=True))
SIGNED = PolicyRule(
    "law/signed",
    When(protection_min=Protection.PII),
    Require(contracts=frozenset({"DPA"}), no_training=True, retention_days_max=30),
)
RULES = (STAYS, KNOWN, SIGNED)
FLOW = Contract("CAC-contract", "C-1", date(2027, 1, 1), frozenset({"cn"}), frozenset({"sg"}))
DPA = Contract("DPA", "D-1", date(2027, 1, 1))
REGISTERED = ModelRegistration("cn", "N-1", "M")
FACTS = TargetFacts(
    storage_regions=frozenset({"cn"}),
    inference_jurisdictions=frozenset({"cn", "sg"}),
    operator="A",
    operator_jurisdiction="cn",
    open_weights=True,
    retention_days=0,
    trains_on_data=False,
    registrations=(ModelRegistration("sg", "S-1", "M"), REGISTERED),
    contracts=(FLOW, DPA),
)
PERSONAL = Traits("cn", Protection.PII)


def test_all_that_was_asked_and_nothing_else() -> None:
    found = grounds(RULES, PERSONAL, FACTS, TODAY, "v1")
    assert found.rules == ("law/stays", "law/known", "law/signed")
    assert dict(found.stated) == {
        "inference_jurisdictions": frozenset({"cn", "sg"}),
        "storage_regions": frozenset({"cn"}),
        "trains_on_data": False,
        "retention_days": 0,
    }
    assert found.agreements == (FLOW, DPA)
    assert found.leaves_to == frozenset({"sg"})
    assert found.registration == REGISTERED
    assert (found.operator, found.matrix_version) == ("A", "v1")


def test_a_rule_that_does_not_apply_asks_for_nothing() -> None:
    found = grounds(RULES, Traits("cn", Protection.PUBLIC), FACTS, TODAY)
    assert (found.rules, found.stated, found.agreements) == (("law/known",), (), ())
    abroad = grounds(RULES, Traits("sg", Protection.PII), FACTS, TODAY)
    assert (abroad.rules, abroad.registration) == (("law/signed",), None)
    assert abroad.leaves_to == frozenset({"cn"})


def test_agreements_that_were_not_needed_or_have_ended_are_left_out() -> None:
    at_home = replace(FACTS, inference_jurisdictions=frozenset({"cn"}))
    assert grounds(RULES, PERSONAL, at_home, TODAY).agreements == (DPA,)
    assert grounds(RULES, PERSONAL, replace(FACTS, is_own=True), TODAY).agreements == (FLOW,)
    assert grounds(RULES, PERSONAL, FACTS, date(2027, 1, 2)).agreements == ()
    elsewhere = replace(FLOW, destinations=frozenset({"us"}))
    found = grounds(RULES, PERSONAL, replace(FACTS, contracts=(elsewhere,)), TODAY)
    assert found.agreements == ()


def test_where_data_goes_is_unknown_if_a_place_or_the_user_is() -> None:
    assert leaves_to(PERSONAL, replace(FACTS, storage_regions=None)) is None
    assert leaves_to(PERSONAL, replace(FACTS, inference_jurisdictions=None)) is None
    assert leaves_to(Traits(None, Protection.PII), FACTS) is None
    union = replace(FACTS, inference_jurisdictions=frozenset({"eu", "is"}))
    assert leaves_to(Traits("de", Protection.PII), union) == frozenset({"cn"})
    anywhere = replace(FACTS, inference_jurisdictions=frozenset({"anywhere"}))
    assert leaves_to(PERSONAL, anywhere) == frozenset({"anywhere"})


ONE = ModelRegistration("cn", "1", "M", frozenset({"one"}))
TWO = ModelRegistration("cn", "2", "M", frozenset({"two"}))
KOREAN = ModelRegistration("kr", "3", "M")


@pytest.mark.parametrize(
    ("models", "counting"),
    [
        (["one"], (ONE, KOREAN)),
        (["two"], (TWO, KOREAN)),
        (["one", "two"], (ONE, TWO, KOREAN)),
        (["one", "three"], (KOREAN,)),  # one of them is not registered there: nothing counts
        (["three"], (KOREAN,)),
    ],
)
def test_registrations_count_where_every_model_has_one(
    models: list[str], counting: tuple[ModelRegistration, ...]
) -> None:
    assert registrations_for([ONE, TWO, KOREAN], models) == counting


def test_the_registration_that_is_shown_is_the_models() -> None:
    facts = replace(FACTS, registrations=(ONE, TWO))
    for model, shown in (("one", ONE), ("two", TWO), (None, ONE)):
        assert grounds(RULES, PERSONAL, facts, TODAY, model=model).registration == shown


def test_a_matrix_knows_the_grounds_of_each_of_its_targets() -> None:
    matrix = Matrix(RULES, replace(FACTS, is_own=True), {"a/m": FACTS}, "v2")
    own, offer = (matrix.grounds(name, PERSONAL, TODAY) for name in (LOCAL, "a/m"))
    assert own is not None
    assert offer is not None
    assert (own.agreements, offer.agreements) == ((FLOW,), (FLOW, DPA))
    assert offer.matrix_version == "v2"
    assert matrix.grounds("a/m", PERSONAL, TODAY) is offer
    assert matrix.grounds("a/m", PERSONAL, date(2027, 1, 2)) != offer
    assert matrix.grounds("b/m", PERSONAL, TODAY) is None
    assert Matrix((), FACTS, {"a/m": FACTS}).grounds("a/m", PERSONAL, TODAY) is None
