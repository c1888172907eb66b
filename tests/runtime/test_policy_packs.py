"""The shipped packs: every one is read, and every rule of every one decides something."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from models.data_file import BadDataFile
from runtime.policy_packs import read_pack, rules_of, shipped_packs
from scheduler.compliance.evaluate_rules import forbids
from scheduler.compliance.policy_pack import PolicyRule, Require, When
from scheduler.compliance.request_traits import Protection, Traits
from scheduler.compliance.target_facts import Contract, ModelRegistration, TargetFacts
from tests.scheduler.compliance.slow import may_have

TODAY = date(2026, 11, 30)
NEXT_YEAR = date(2027, 11, 30)
NAMES = ["ccpa", "cn-genai", "eu-ai-act", "gdpr", "hipaa", "pdpa-sg", "pdpo-hk", "pipl"]
PACKS = {name: read_pack(path) for name, path in shipped_packs().items()}
RULES = rules_of(PACKS.values())
KINDS = "DPA SCC BCR DPF BAA CAC-contract CAC-assessment CAC-certificate PDPC-clauses PCPD-clauses"
TRAITS = [
    Traits(user_in, protection, classes)
    for user_in in (None, "cn", "hk", "sg", "de", "no", "us", "gb", "br")
    for protection in Protection
    for classes in (frozenset[str](), frozenset({"phi"}))
]


def contract(kind: str, source: str, *destinations: str, until: date = NEXT_YEAR) -> Contract:
    return Contract(kind, "ref", until, frozenset({source}), frozenset(destinations))


def everything(home: str) -> TargetFacts:
    """A target at home, with all that any law of any place asks for."""
    return TargetFacts(
        storage_regions=frozenset({home}),
        inference_jurisdictions=frozenset({home}),
        operator_jurisdiction=home,
        operator="Example Ltd",
        open_weights=True,
        retention_days=0,
        trains_on_data=False,
        registrations=(ModelRegistration(home, "number", "name"),),
        contracts=tuple(contract(kind, home, home) for kind in KINDS.split()),
        documents=frozenset({"technical-documentation", "training-data-summary"}),
    )


def targets() -> list[TargetFacts]:
    """Everything at home, and each fact of it forgotten or made worse."""
    found = [TargetFacts()]
    for home in ("cn", "hk", "sg", "de", "us"):
        full = everything(home)
        found += [full, replace(full, is_own=True, contracts=())]
        found += [replace(full, **{f.name: getattr(TargetFacts(), f.name)}) for f in fields(full)]
        away = replace(full, inference_jurisdictions=frozenset({home, "in"}))
        rested = replace(full, storage_regions=frozenset({"in"}))
        for kind in KINDS.split():
            flows = (contract(kind, home, "in"), contract("DPA", home))
            late = (contract(kind, home, "in", until=date(2026, 11, 29)),)
            found += [replace(each, contracts=flows) for each in (away, rested)]
            found += [replace(away, contracts=late), replace(full, contracts=flows[:1])]
        found += [replace(full, trains_on_data=True), replace(full, operator_jurisdiction="in")]
    return found


TARGETS = targets()


def outcomes(rules: tuple[PolicyRule, ...]) -> list[bool]:
    return [forbids(rules, t, facts, TODAY) is None for t in TRAITS for facts in TARGETS]


def test_all_packs_are_there_and_dated() -> None:
    assert sorted(PACKS) == NAMES
    assert all(pack.name == name and pack.as_of.year == 2026 for name, pack in PACKS.items())
    assert all(each.source for each in RULES)
    assert len({each.rule_id for each in RULES}) == len(RULES)


def test_every_combination_is_as_the_slow_way_says() -> None:
    combinations = [(t, facts) for t in TRAITS for facts in TARGETS]
    assert len(combinations) > 400 * len(NAMES)
    for t, facts in combinations:
        assert (forbids(RULES, t, facts, TODAY) is None) == may_have(RULES, t, facts, TODAY)


def changed(rule: PolicyRule, part: When | Require, field: str, value: Any) -> dict[str, Any]:
    part_name = "when" if part is rule.when else "require"
    return {part_name: replace(part, **{field: value})}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule_id)
def test_every_part_of_every_rule_decides_something(rule: PolicyRule) -> None:
    usual = outcomes((rule,))
    assert usual != outcomes(()), "the rule never forbids"
    for part, empty in ((rule.require, Require()), (rule.when, When())):
        for field in fields(part):
            blank = getattr(empty, field.name)
            if getattr(part, field.name) == blank:
                continue
            mutant = replace(rule, **changed(rule, part, field.name, blank))
            assert outcomes((mutant,)) != usual, f"{field.name} decides nothing"


def test_personal_data_of_the_mainland_goes_nowhere_else() -> None:
    for facts in TARGETS:
        if facts.inference_jurisdictions != frozenset({"cn"}) and not facts.contracts:
            assert forbids(RULES, Traits("cn", Protection.PII), facts, TODAY) is not None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pack: []", "must hold one pack"),
        ("packs: []", "single key 'pack'"),
        ("pack:\n- {name: a, as_of: 2026-01-01, rules: []}", "rules"),
        (
            "pack:\n- name: a\n  as_of: 2026-01-01\n  rules:\n"
            "  - {rule: r, source: s, when: {}, require: {no_traning: true}}",
            "no_traning",
        ),
        (
            "pack:\n- name: a\n  as_of: 2026-01-01\n  rules:\n"
            "  - {rule: r, source: s, when: {protection_min: secret}, require: {}}",
            "protection_min",
        ),
        (
            "pack:\n- name: a\n  as_of: 2026-01-01\n  rules:\n"
            "  - {rule: r, source: s, when: {}, require: {}}\n"
            "  - {rule: r, source: s, when: {}, require: {}}",
            "'r' stands twice",
        ),
        *(
            (
                "pack:\n- name: a\n  as_of: 2026-01-01\n  rules:\n"
                f"  - {{rule: r, source: s, when: {when}, require: {require}}}",
                "gb, not uk",
            )
            for when, require in (
                ("{users_in: [uk]}", "{no_training: true}"),
                ("{users_in: [CN]}", "{no_training: true}"),
                ("{users_in: [home]}", "{no_training: true}"),
                ("{}", "{inference_within: [home, uk]}"),
                ("{}", "{storage_within: [europe]}"),
                ("{}", "{operator_in: [china]}"),
            )
        ),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(BadDataFile, match=says):
        read_pack(path)
