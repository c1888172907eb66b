"""Published claims about what tokens cost, each with a verdict that follows from its inputs.

A claim holds when its formula on its own inputs supports the published figure. It holds only if
something else is true when one of its other readings does. Otherwise it does not hold, and the
condition says what would have to be true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from benchmarks.economics.claim_formulas import FORMULAS, Facts, Tier
from benchmarks.economics.input_checks import number
from models.data_file import BadDataFile, Entry, duplicates, read_entries

CLAIMS_FILE = Path(__file__).parent / "claims.yaml"
ABOUT = Decimal("0.05")  # what "about" and "roughly" may be off by


class ClaimVerdict(StrEnum):
    HOLDS = "holds"
    HOLDS_IF = "holds_if"
    DOES_NOT_HOLD = "does_not_hold"


Relation = Literal["about", "at_least", "at_most"]

_SUPPORTS: Mapping[Relation, Callable[[Decimal, Decimal], bool]] = {
    "about": lambda computed, published: abs(computed - published) <= ABOUT * abs(published),
    "at_least": lambda computed, published: computed >= published,
    "at_most": lambda computed, published: computed <= published,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one claim."""

    claim: Claim
    computed: Decimal
    verdict: ClaimVerdict
    condition: str

    @property
    def formula_shown(self) -> str:
        return FORMULAS[self.claim.formula].shown

    def inputs_in_words(self) -> str:
        tiers = (
            f"{tier.share} {tier.name} at {tier.input_usd}/{tier.output_usd}"
            for tier in self.claim.tiers
        )
        given = (
            f"{name.replace('_', ' ')} {each.value} ({each.source})"
            for name, each in self.claim.inputs.items()
        )
        return ", ".join((*tiers, *given))

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.claim.claim_id,
            "published": float(self.claim.published),
            "computed": float(self.computed),
            "unit": self.claim.unit,
            "verdict": self.verdict.value,
            "condition": self.condition,
        }


def judged(claim: Claim) -> Finding:
    formula = FORMULAS[claim.formula]
    supports = _SUPPORTS[claim.relation]
    facts = claim.facts()
    computed = formula.compute(facts)
    others = [(each, formula.compute(claim.facts(each))) for each in claim.readings]
    fitting = [each.says for each, value in others if supports(value, claim.published)]
    if supports(computed, claim.published):
        verdict, condition = ClaimVerdict.HOLDS, ""
    elif fitting:
        verdict, condition = ClaimVerdict.HOLDS_IF, f"only {'; or '.join(fitting)}. As it stands: "
    else:
        verdict, condition = ClaimVerdict.DOES_NOT_HOLD, ""
    condition += formula.explain(facts, claim.published)
    readings = "; ".join(f"{each.says}: {_figure(value)}" for each, value in others)
    condition += f". Other readings: {readings}." if readings else "."
    return Finding(claim, computed, verdict, condition)


def load_claims(path: Path = CLAIMS_FILE) -> tuple[Claim, ...]:
    """Every claim of the file; raises BadDataFile."""
    claims, problems = read_entries(path, "claims", Claim)
    problems += duplicates([claim.claim_id for claim in claims])
    problems += [
        f"{claim.claim_id}: no formula {claim.formula!r}: use {', '.join(FORMULAS)}"
        for claim in claims
        if claim.formula not in FORMULAS
    ]
    if problems:
        raise BadDataFile(path, problems)
    return tuple(claims)


def findings(path: Path = CLAIMS_FILE) -> tuple[Finding, ...]:
    return tuple(judged(claim) for claim in load_claims(path))


def _figure(value: Decimal) -> str:
    return f"{value / 10**9:,.2f} B" if value >= 10**9 else f"{value:,.2f}"


def _quoted(value: object) -> Decimal:
    if not isinstance(value, str):
        raise ValueError(f"write a number as a quoted string, not as {type(value).__name__}")
    return number("value", value)


_Text = Annotated[str, Field(min_length=1, max_length=300)]
_Number = Annotated[Decimal, BeforeValidator(_quoted)]


class Input(Entry):
    value: _Number
    source: _Text


class _TierEntry(Entry):
    name: _Text
    share: _Number
    input_usd: _Number
    output_usd: _Number


class Reading(Entry):
    """Other inputs under which a claim could have been meant; the rest stay."""

    says: _Text
    inputs: dict[str, Input] = Field(default_factory=dict)
    tiers: list[_TierEntry] | None = None


class Claim(Entry):
    """One claim as it stands in the file."""

    claim_id: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]
    says: _Text
    source: _Text
    published: _Number
    unit: _Text
    formula: _Text
    relation: Relation
    inputs: dict[str, Input]
    tiers: list[_TierEntry] = Field(default_factory=list)
    readings: list[Reading] = Field(default_factory=list)

    def facts(self, reading: Reading | None = None) -> Facts:
        """The inputs, or those of one of the readings."""
        inputs = self.inputs | (reading.inputs if reading else {})
        tiers = self.tiers if reading is None or reading.tiers is None else reading.tiers
        return Facts(
            values={name: given.value for name, given in inputs.items()},
            tiers=tuple(Tier(t.name, t.share, t.input_usd, t.output_usd) for t in tiers),
        )
