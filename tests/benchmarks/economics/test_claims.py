"""The verdicts that economics.md shows, from the formulas; and that other inputs turn them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from benchmarks.economics.anchors import anchors
from benchmarks.economics.claim_formulas import FORMULAS
from benchmarks.economics.claims import (
    CLAIMS_FILE,
    ClaimVerdict,
    Finding,
    findings,
    load_claims,
)
from models.data_file import BadDataFile

FOUND = {finding.claim.claim_id: finding for finding in findings()}
LIST_PRICES = {"api_input_usd": "0.28", "api_output_usd": "0.42"}


class Watched(dict[str, Decimal]):
    """Remembers what was looked up in it."""

    def __init__(self, values: Mapping[str, Decimal]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Decimal:
        self.asked.add(name)
        return super().__getitem__(name)


def with_inputs(tmp_path: Path, claim_id: str, **changes: str) -> Finding:
    """The claim with other inputs, through the file."""
    document = yaml.safe_load(CLAIMS_FILE.read_text())
    claim = next(each for each in document["claims"] if each["claim_id"] == claim_id)
    for name, value in changes.items():
        if name == "published":
            claim["published"] = value
        else:
            claim["inputs"][name]["value"] = value
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump({"claims": [claim]}))
    return findings(path)[0]


@pytest.mark.parametrize(
    ("claim_id", "computed", "verdict"),
    [
        ("h800_cost_per_mtok", 0.518, ClaimVerdict.DOES_NOT_HOLD),
        ("breakeven_tokens_per_month", 51.9e9, ClaimVerdict.HOLDS_IF),
        ("tiered_bill", 47_220, ClaimVerdict.DOES_NOT_HOLD),
        ("blended_mix", 0.778, ClaimVerdict.DOES_NOT_HOLD),
        ("hybrid_saving", 94.67, ClaimVerdict.DOES_NOT_HOLD),
    ],
)
def test_the_verdicts(claim_id: str, computed: float, verdict: ClaimVerdict) -> None:
    assert float(FOUND[claim_id].computed) == pytest.approx(computed, rel=0.01)
    assert FOUND[claim_id].verdict is verdict


@pytest.mark.parametrize(
    ("claim_id", "numbers"),
    [
        (
            "h800_cost_per_mtok",
            ("13,889", "111,111", "14,800", "$0.154", "$0.36", "$0.52", "$0.036"),
        ),
        (
            "breakeven_tokens_per_month",
            ("$93,440", "$2,520", "95.35 B", "7.48 B", "1.40 B", "0.8 %"),
        ),
        ("tiered_bill", ("$47,220", "$21,000", "8.9", "3.2", "26,220", "31 %")),
        ("blended_mix", ("$0.778", "$1.64")),
        ("hybrid_saving", ("92.0 %", "94.7 %", "98.3 %", "$2,738")),
    ],
)
def test_a_condition_holds_the_worked_numbers(claim_id: str, numbers: tuple[str, ...]) -> None:
    for number in numbers:
        assert number in FOUND[claim_id].condition


def test_a_claim_that_holds_only_if_says_if_what() -> None:
    condition = FOUND["breakeven_tokens_per_month"].condition
    assert condition.startswith("only with one node of 8 cards at $3 per card-hour against GPT-5.1")


@pytest.mark.parametrize(
    ("claim_id", "changes"),
    [
        ("h800_cost_per_mtok", {"usd_per_card_hour": "0.154"}),
        ("h800_cost_per_mtok", {"published": "0.52"}),
        ("breakeven_tokens_per_month", {"published": "51900000000"}),
        ("tiered_bill", {"published": "47220"}),
        ("tiered_bill", {"input_mtok": "16519", "output_mtok": "8259"}),
        ("blended_mix", {"published": "1.64"}),
        ("hybrid_saving", {"published": "94"}),
        ("hybrid_saving", {"hybrid_usd_per_year": "2700"}),
    ],
)
def test_other_numbers_make_it_hold(tmp_path: Path, claim_id: str, changes: dict[str, str]) -> None:
    assert with_inputs(tmp_path, claim_id, **changes).verdict is ClaimVerdict.HOLDS


def test_other_numbers_make_it_not_hold(tmp_path: Path) -> None:
    """The reading keeps the mix of the claim, so a third of the input moves it off."""
    found = with_inputs(tmp_path, "breakeven_tokens_per_month", input_per_output="0.5")
    assert found.verdict is ClaimVerdict.DOES_NOT_HOLD


def test_the_json_has_these_keys_and_no_more() -> None:
    for claim_id, finding in FOUND.items():
        told = finding.as_json()
        assert list(told) == ["id", "published", "computed", "unit", "verdict", "condition"]
        assert told["id"] == claim_id
        assert isinstance(told["computed"], float)


def test_every_input_has_a_source_and_is_used() -> None:
    """Formulas look inputs up by name: one that none of them reads would be decoration."""
    for claim in load_claims():
        facts = claim.facts()
        watched = Watched(facts.values)
        formula = FORMULAS[claim.formula]
        formula.compute(replace(facts, values=watched))
        formula.explain(replace(facts, values=watched), claim.published)
        assert watched.asked == set(claim.inputs)
        assert all(given.source for given in claim.inputs.values())
    assert {claim.formula for claim in load_claims()} == set(FORMULAS)


def test_claims_and_anchors_stand_on_the_same_facts() -> None:
    known = {anchor.anchor_id: anchor.computed for anchor in anchors()}
    assert FOUND["h800_cost_per_mtok"].computed == known["deepseek_all_in"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('published: "0.04"', "published: 0.04", "quoted string"),
        ("relation: about", "relation: roughly", "relation"),
        ("formula: saving", "formula: guess", "no formula 'guess'"),
        ("claim_id: hybrid_saving", "claim_id: blended_mix", "stands twice"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    text = CLAIMS_FILE.read_text()
    assert old in text
    path = tmp_path / "claims.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(BadDataFile, match=says):
        findings(path)


def test_relations_are_what_they_say(tmp_path: Path) -> None:
    at_edge = with_inputs(tmp_path, "tiered_bill", published=str(Decimal(47_220) / Decimal("1.05")))
    assert at_edge.verdict is ClaimVerdict.DOES_NOT_HOLD
    inside = with_inputs(tmp_path, "tiered_bill", published=str(Decimal(47_220) * Decimal("0.96")))
    assert inside.verdict is ClaimVerdict.HOLDS
