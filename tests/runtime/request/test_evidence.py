"""What the ledger keeps of why a request went where it went."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from runtime.detect.personal_data import DETECTOR_VERSION, INCOMPLETE, Finding
from runtime.ledger.rows import EVIDENCE_BYTES_MAX
from runtime.request.evidence import Evidence, Found, TargetVerdict, words_of
from runtime.request_limits import LIMITS, refusals
from runtime.wire.tags import Sensitivity, Tags
from scheduler.compliance.request_traits import Protection, Traits
from scheduler.compliance.target_facts import Contract, ModelRegistration
from scheduler.compliance.verdict_grounds import Grounds

EVIDENCE = Evidence(
    said=words_of(Tags(locale="zh-CN")),
    effective=words_of(Tags(locale="zh-CN", sensitivity=Sensitivity.PII)),
    traits=Traits("cn", Protection.PII, frozenset({"phi", "edu"})),
    found=Found.of(Finding(frozenset({"phone", "email"}))),
    rule="support",
    verdicts=(
        TargetVerdict("tiny-moe", "local", "allowed"),
        TargetVerdict("big", "a/big", "compliance", "pipl/stays-in-china: storage_regions unknown"),
    ),
    config_version="7",
    matrix_version="0123456789abcdef",
    retain_until=date(2027, 6, 1),
    asked="auto",
)
GROUNDS = Grounds(
    rules=("pipl/stays-in-china",),
    stated=(("inference_jurisdictions", frozenset({"sg", "cn"})), ("trains_on_data", False)),
    agreements=(Contract("CAC-contract", "C-1", date(2027, 1, 1)),),
    leaves_to=frozenset({"sg"}),
    registration=ModelRegistration("cn", "Sichuan-1", "深度"),
    operator="A GmbH",
    matrix_version="fedcba9876543210",
)
LONG = "深" * 256


def read(evidence: Evidence, grounds: Grounds | None = None) -> dict[str, Any]:
    text = evidence.text(grounds)
    assert text.isascii()
    assert len(text) <= EVIDENCE_BYTES_MAX
    told: dict[str, Any] = json.loads(text)
    assert json.dumps(told, separators=(",", ":")) == text  # one form, so that it can be compared
    return told


def test_all_of_it_can_be_read_again() -> None:
    assert read(EVIDENCE, GROUNDS) == {
        "form": 1,
        "asked": "auto",
        "said": {"sensitivity": "internal", "locale": "zh-CN"},
        "found": {"kinds": ["email", "phone"], "is_complete": True, "detector": DETECTOR_VERSION},
        "effective": {"sensitivity": "pii", "locale": "zh-CN"},
        "user_in": "cn",
        "data_classes": ["edu", "phi"],
        "rule": "support",
        "verdicts": [
            ["tiny-moe", "local", "allowed", ""],
            ["big", "a/big", "compliance", "pipl/stays-in-china: storage_regions unknown"],
        ],
        "config": "7",
        "matrix": "0123456789abcdef",
        "retain_until": "2027-06-01",
        "target": {
            "matrix": "fedcba9876543210",
            "operator": "A GmbH",
            "rules": ["pipl/stays-in-china"],
            "facts": {"inference_jurisdictions": ["cn", "sg"], "trains_on_data": False},
            "agreements": [
                {"kind": "CAC-contract", "reference": "C-1", "valid_until": "2027-01-01"}
            ],
            "leaves_to": ["sg"],
            "registration": {
                "jurisdiction": "cn",
                "number": "Sichuan-1",
                "model_name": "深度",
            },
        },
    }


def test_a_refusal_has_no_target_and_what_is_unknown_is_left_out() -> None:
    plain = Evidence((), (), Traits(None, Protection.INTERNAL))
    assert read(plain) == {"form": 1}
    assert "target" not in read(EVIDENCE)


def test_nobody_looked_and_nothing_found_differ() -> None:
    nothing = read(replace(EVIDENCE, found=Found.of(Finding(frozenset()))))
    assert nothing["found"]["kinds"] == []
    assert "found" not in read(replace(EVIDENCE, found=None))
    assert read(replace(EVIDENCE, found=Found.of(INCOMPLETE)))["found"]["is_complete"] is False


def test_nothing_that_leaves_and_nothing_known_differ() -> None:
    assert read(EVIDENCE, replace(GROUNDS, leaves_to=frozenset()))["target"]["leaves_to"] == []
    assert "leaves_to" not in read(EVIDENCE, replace(GROUNDS, leaves_to=None))["target"]


def test_the_configuration_is_the_one_by_which_the_target_is_asked() -> None:
    assert read(EVIDENCE.under("8"))["config"] == "8"
    assert EVIDENCE.under("7") is EVIDENCE


def test_verdicts_come_with_the_rule_that_asked_for_them() -> None:
    verdicts = (TargetVerdict("m", "a/m", "quality", "0.700 < 0.9"),)
    told = read(EVIDENCE.with_verdicts("drafting", verdicts))
    assert (told["rule"], told["verdicts"]) == (
        "drafting",
        [["m", "a/m", "quality", "0.700 < 0.9"]],
    )


@pytest.mark.parametrize("word", ["x" * 64, LONG])
def test_many_verdicts_are_cut_and_counted(word: str) -> None:
    verdicts = tuple(TargetVerdict(word, f"{each}/{word}", "cost", LONG * 9) for each in range(999))
    before = refusals["evidence_verdicts_chars_max"]
    told = read(replace(EVIDENCE, verdicts=verdicts), GROUNDS)
    assert len(told["verdicts"]) + told["verdicts_left_out"] == 999
    assert told["verdicts"][0][1] == f"0/{word}"
    assert refusals["evidence_verdicts_chars_max"] == before + 1
    read(replace(EVIDENCE, verdicts=verdicts), GROUNDS)  # the same again is counted again
    assert refusals["evidence_verdicts_chars_max"] == before + 2


def test_the_longest_that_there_can_be_has_room_in_its_row() -> None:
    names = tuple(f"{each}{LONG}"[:256] for each in range(256))
    verdicts = tuple(TargetVerdict(name, name, name, name) for name in names)
    words = tuple((name, "w" * 128) for name in ("sensitivity", "locale", "region", "task"))
    classes = frozenset(f"{each:03}" + "c" * 61 for each in range(256))
    evidence = replace(
        EVIDENCE,
        said=words,
        effective=words,
        traits=Traits("cn", Protection.REGULATED, classes),
        rule="r" * 256,
        asked="m" * 256,
        verdicts=verdicts,
    )
    grounds = replace(
        GROUNDS,
        rules=tuple(f"{each}/" + "r" * 120 for each in range(999)),
        stated=(("documents", frozenset(names)),),
        agreements=tuple(Contract("SCC", name, date(2027, 1, 1)) for name in names),
        registration=ModelRegistration("cn", LONG, LONG),
        operator=LONG,
    )
    before = refusals["evidence_target_chars_max"]
    told = read(evidence, grounds)
    assert told["target"]["registration"]["model_name"] == LONG
    assert {name for name, value in told["target"].items() if value == "left out"} == {
        "rules",
        "facts",
        "agreements",
    }
    assert refusals["evidence_target_chars_max"] == before + 1
    assert len(told["data_classes"]) == LIMITS.evidence_listed_max
