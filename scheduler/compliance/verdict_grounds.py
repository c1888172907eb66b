"""What it rests on that a target may have a request: the rules that apply, and the facts that they
ask for. A verdict says no more than which fact is missing; this is what a review asks for later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from scheduler.compliance.evaluate_rules import transfers
from scheduler.compliance.jurisdictions import GROUPS, expanded, outside
from scheduler.compliance.policy_pack import PolicyRule, Require
from scheduler.compliance.request_traits import Traits
from scheduler.compliance.target_facts import Contract, ModelRegistration, TargetFacts

Stated = frozenset[str] | str | int | bool


@dataclass(frozen=True, slots=True)
class Grounds:
    """``stated`` are the facts that ``rules`` ask for, by their names, without those that nobody
    stated. ``leaves_to`` are the jurisdictions beside the user's where the target keeps or works on
    data; None where either is unknown."""

    rules: tuple[str, ...]
    stated: tuple[tuple[str, Stated], ...]
    agreements: tuple[Contract, ...] = ()  # valid ones of which a rule asks for one
    leaves_to: frozenset[str] | None = None
    registration: ModelRegistration | None = None  # that has to be shown to the user
    operator: str | None = None
    matrix_version: str = ""  # that was in force


def grounds(
    rules: Sequence[PolicyRule],
    traits: Traits,
    facts: TargetFacts,
    today: date,
    version: str = "",
    model: str | None = None,
) -> Grounds:
    """The grounds for one target and one kind of request; of the ``model`` there that answers."""
    applying = [rule for rule in rules if rule.when.matches(traits)]
    requires = [rule.require for rule in applying]
    names = dict.fromkeys(name for require in requires for name in _asked(require))
    values = ((name, getattr(facts, name)) for name in names)
    return Grounds(
        rules=tuple(rule.rule_id for rule in applying),
        stated=tuple((name, value) for name, value in values if value is not None),
        agreements=tuple(dict.fromkeys(_agreements(requires, traits, facts, today))),
        leaves_to=leaves_to(traits, facts),
        registration=_registration(requires, traits, facts, model),
        operator=facts.operator,
        matrix_version=version,
    )


def _asked(require: Require) -> Iterator[str]:
    """The names of facts; contracts and registrations are told apart."""
    if require.inference_within is not None:
        yield "inference_jurisdictions"
    if require.storage_within is not None:
        yield "storage_regions"
    if require.operator_in is not None:
        yield "operator_jurisdiction"
    if require.open_weights:
        yield "open_weights"
    if require.no_training:
        yield "trains_on_data"
    if require.retention_days_max is not None:
        yield "retention_days"
    if require.documents:
        yield "documents"


def _agreements(
    requires: Iterable[Require], traits: Traits, facts: TargetFacts, today: date
) -> Iterator[Contract]:
    away = leaves_to(traits, facts)
    for require in requires:
        if not facts.is_own:
            of_kind = (each for each in facts.contracts if each.kind in require.contracts)
            yield from (each for each in of_kind if each.is_valid(today))
        if away and traits.user_in is not None:
            flows = transfers(facts.contracts, require.or_transfer, traits.user_in, today)
            yield from (each for each in flows if expanded(each.destinations) & away)


def leaves_to(traits: Traits, facts: TargetFacts) -> frozenset[str] | None:
    """Where data of this user crosses a border to; within the EEA there is none."""
    places = (facts.inference_jurisdictions, facts.storage_regions)
    if traits.user_in is None or None in places:
        return None
    eea = GROUPS["eea"]
    at_home = eea if traits.user_in in eea else {traits.user_in}
    return frozenset(
        place for each in places if each is not None for place in outside(each, at_home)
    )


def _registration(
    requires: Iterable[Require], traits: Traits, facts: TargetFacts, model: str | None
) -> ModelRegistration | None:
    if traits.user_in is None or not any(require.is_registered for require in requires):
        return None
    return facts.registration_in(traits.user_in, model)
