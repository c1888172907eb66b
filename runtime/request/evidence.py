"""What a request was said to be, found to be and taken for, and which targets might have it: what
the ledger keeps of it, so that a review can ask years later why it went where it went.

Kinds of personal data are kept, never a value. The text is JSON with one order of its members and
no spaces, in ASCII, of a bounded length; members without a value are left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from runtime.detect.personal_data import DETECTOR_VERSION, Finding
from runtime.request_limits import LIMITS, refusals
from runtime.wire.tags import Tags
from scheduler.compliance.request_traits import Traits
from scheduler.compliance.target_facts import Contract, ModelRegistration
from scheduler.compliance.verdict_grounds import Grounds, Stated

FORM = 1  # of the text, for its readers
ALLOWED = "allowed"  # the code of a target that may have the request
TEXTS_KEPT = 1_024  # requests of one kind have the same evidence

Words = tuple[tuple[str, str], ...]  # what is known of a request, by the names of its tags

_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


class TargetVerdict(NamedTuple):
    """``target`` is "local" or an offer's id, empty where nothing serves the model. ``code`` is
    "allowed" or why it was left out; ``detail`` names rule and fact."""

    model: str
    target: str
    code: str
    detail: str = ""


class ChosenBy(NamedTuple):
    """The task and the language by which the quality of models was looked up, "" where unknown:
    feedback on the answer counts for them."""

    task: str = ""
    language: str = ""


BY_NOTHING = ChosenBy()


class Found(NamedTuple):
    """What a search of all its text found."""

    kinds: tuple[str, ...]
    is_complete: bool = True
    detector: str = DETECTOR_VERSION

    @classmethod
    def of(cls, finding: Finding) -> Found:
        return cls(tuple(sorted(finding.kinds)), finding.is_complete)


@dataclass(frozen=True, slots=True)
class Evidence:
    """``said`` are the tags as they came or as the key has them by default, ``effective`` those
    that counted. ``found`` is None where nobody looked. ``rule`` chose among models; a model that
    was asked for by its name has none. ``asked`` is what the request called its model, and
    ``traits`` are what the rules of policy packs saw."""

    said: Words
    effective: Words
    traits: Traits
    found: Found | None = None
    rule: str = ""
    verdicts: tuple[TargetVerdict, ...] = ()
    config_version: str = ""
    matrix_version: str = ""
    retain_until: date | None = None
    asked: str = ""
    chosen_by: ChosenBy = BY_NOTHING

    def with_verdicts(
        self, rule: str, verdicts: tuple[TargetVerdict, ...], chosen_by: ChosenBy = BY_NOTHING
    ) -> Evidence:
        return Evidence(  # as ``replace`` would, in half the time: once for every request
            self.said,
            self.effective,
            self.traits,
            self.found,
            rule,
            verdicts,
            self.config_version,
            self.matrix_version,
            self.retain_until,
            self.asked,
            chosen_by,
        )

    def under(self, config_version: str) -> Evidence:
        """The evidence as it is when the target is asked: a request may have waited for longer than
        a configuration was in force."""
        if config_version == self.config_version:
            return self
        return replace(self, config_version=config_version)

    def text(self, grounds: Grounds | None = None) -> str:
        """``grounds`` are of the target that an attempt asks; a refusal has none."""
        told, left_out = _request_text(self)
        if left_out:
            refusals["evidence_verdicts_chars_max"] += 1
        if grounds is None:
            return told + "}"
        of_target, left_out = _target_text(grounds)
        if left_out:
            refusals["evidence_target_chars_max"] += 1
        return f'{told},"target":{of_target}}}'


def words_of(tags: Tags) -> Words:
    """The evidence without what the ledger has in columns of its own, and what decides nothing."""
    words = (
        ("sensitivity", tags.sensitivity.value),
        ("locale", tags.locale),
        ("region", tags.region),
    )
    return tuple((name, value) for name, value in words if value is not None)


@lru_cache(TEXTS_KEPT)
def _request_text(evidence: Evidence) -> tuple[str, int]:
    """Of what is the same for all its attempts, without the last brace; and how many verdicts it
    has no room for."""
    found, traits, until = evidence.found, evidence.traits, evidence.retain_until
    verdicts = _bounded(evidence.verdicts)
    members = {
        "form": FORM,
        "asked": evidence.asked,
        "said": dict(evidence.said),
        "found": None if found is None else found._asdict(),
        "effective": dict(evidence.effective),
        "user_in": traits.user_in,
        "data_classes": sorted(traits.data_classes)[: LIMITS.evidence_listed_max],
        "rule": evidence.rule,
        "chosen_by": _told(evidence.chosen_by._asdict()),
        "verdicts": verdicts,
        "verdicts_left_out": len(evidence.verdicts) - len(verdicts),
        "config": evidence.config_version,
        "matrix": evidence.matrix_version,
        "retain_until": None if until is None else until.isoformat(),
    }
    return _encode(_told(members))[:-1], len(evidence.verdicts) - len(verdicts)


@lru_cache(TEXTS_KEPT)
def _target_text(grounds: Grounds) -> tuple[str, int]:
    """And how many of its members it has no room for: the matrix of that version has them."""
    left_out = 0
    members = _told(
        {
            "matrix": grounds.matrix_version,
            "operator": grounds.operator,
            "rules": list(grounds.rules),
            "facts": {name: _listed(value) for name, value in grounds.stated},
            "agreements": [_agreement(each) for each in grounds.agreements],
            "leaves_to": None if grounds.leaves_to is None else sorted(grounds.leaves_to),
            "registration": _registration(grounds.registration),
        }
    )
    while len(text := _encode(members)) > LIMITS.evidence_target_chars_max:
        left_out += 1
        longest = max(members, key=lambda name: len(_encode(members[name])))
        members[longest] = "left out"
    return text, left_out


def _told(members: dict[str, Any]) -> dict[str, Any]:
    """An empty ``leaves_to`` says something: nothing crosses a border."""
    return {
        name: value
        for name, value in members.items()
        if value or (name == "leaves_to" and value is not None)
    }


def _bounded(verdicts: tuple[TargetVerdict, ...]) -> list[list[str]]:
    """The first of them: they are in the order in which targets are asked."""
    kept: list[list[str]] = []
    left = LIMITS.evidence_verdicts_chars_max
    for model, target, code, detail in verdicts:
        verdict = [model, target, code, detail[: LIMITS.evidence_detail_chars_max]]
        left -= len(_encode(verdict)) + 1
        if left < 0:
            break
        kept.append(verdict)
    return kept


def _listed(value: Stated) -> object:
    return sorted(value) if isinstance(value, frozenset) else value


def _registration(registration: ModelRegistration | None) -> dict[str, str] | None:
    if registration is None:
        return None
    return {
        "jurisdiction": registration.jurisdiction,
        "number": registration.number,
        "model_name": registration.model_name,
    }


def _agreement(contract: Contract) -> dict[str, str | None]:
    until = contract.valid_until
    return {
        "kind": contract.kind,
        "reference": contract.reference,
        "valid_until": None if until is None else until.isoformat(),
    }
