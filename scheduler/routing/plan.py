"""The candidates of a request, each target with its verdict, in the order in which they are asked.

One function for every path: a named model is a rule with one candidate. What it leaves out, no
later step may bring back: an attempt, a retry or a purchase goes to a target of a step, or nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from models.money import NANO_PER_USD, NanoUsd
from scheduler.compliance.facts import TargetFacts
from scheduler.compliance.rules import Rule as ComplianceRule
from scheduler.compliance.traits import Traits
from scheduler.compliance.verdict import forbids
from scheduler.routing.quality import Quality
from scheduler.routing.rule import Abilities, Candidate, Choose, Needs, Rule, Substitute


class Code(StrEnum):
    """Why a target is no step for a request, before anything is known of its load."""

    COMPLIANCE = "compliance"  # a rule of a policy pack; the detail names rule and fact
    ABILITY = "ability"  # the model cannot do what is asked; the detail names what
    QUALITY = "quality"  # below the floor of the rule
    COST = "cost"  # the worst case is above the ceiling, or unknown where there is one
    NOT_SERVED = "not_served"  # no pool and no offer has the model


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model may be asked: its pool, or one offer. Costs are of this request, in nano-USD;
    None is unknown."""

    target: str  # "pool:<model>" or "offer:<provider>/<model>"
    facts: TargetFacts
    expected_nano: NanoUsd | None
    worst_nano: NanoUsd | None


@dataclass(frozen=True, slots=True)
class Standing:
    """A candidate as it stands when a request arrives."""

    candidate: Candidate
    abilities: Abilities
    quality: Quality
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class PlaceVerdict:
    """``code`` is None where the request may go."""

    model: str
    target: str
    code: Code | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """``targets`` are all that this request may ask for this model."""

    model: str
    targets: frozenset[str]
    substitute: Substitute
    first_token_ms_max: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """``steps`` is empty where nothing may answer; ``verdicts`` say why, for every candidate."""

    rule: str
    steps: tuple[Step, ...]
    verdicts: tuple[PlaceVerdict, ...]

    @property
    def is_forbidden(self) -> bool:
        """Nothing is left, and some target was left out for the law's sake alone."""
        return not self.steps and any(each.code is Code.COMPLIANCE for each in self.verdicts)


def plan(
    rule: Rule,
    standings: Sequence[Standing],
    needs: Needs,
    traits: Traits,
    compliance: Sequence[ComplianceRule],
    today: date,
) -> Plan:
    """``standings`` are of the rule's candidates, in its order; ``needs`` are the request's own."""
    verdicts: list[PlaceVerdict] = []
    left: list[tuple[Standing, tuple[Place, ...]]] = []
    for standing in standings:
        found = [
            _verdict(rule, standing, place, needs, traits, compliance, today)
            for place in standing.places
        ]
        verdicts += found or [PlaceVerdict(standing.candidate.model, "", Code.NOT_SERVED)]
        allowed = tuple(
            place for place, each in zip(standing.places, found, strict=True) if each.code is None
        )
        if allowed:
            left.append((standing, allowed))
    steps = tuple(_step(rule, standing, places) for standing, places in _ordered(rule, left))
    return Plan(rule.name, steps, tuple(verdicts))


def _verdict(
    rule: Rule,
    standing: Standing,
    place: Place,
    needs: Needs,
    traits: Traits,
    compliance: Sequence[ComplianceRule],
    today: date,
) -> PlaceVerdict:
    model, target = standing.candidate.model, place.target
    if forbidden := forbids(compliance, traits, place.facts, today):
        return PlaceVerdict(model, target, Code.COMPLIANCE, str(forbidden))
    if missing := standing.abilities.lacks(needs) or standing.abilities.lacks(rule.needs):
        return PlaceVerdict(model, target, Code.ABILITY, missing)
    floor = standing.candidate.quality_floor
    floor = rule.quality_floor if floor is None else floor
    if standing.quality.is_below(floor):
        return PlaceVerdict(model, target, Code.QUALITY, f"{standing.quality.mean:.3f} < {floor:g}")
    ceiling = rule.cost_max_nano
    if ceiling is not None and (place.worst_nano is None or place.worst_nano > ceiling):
        return PlaceVerdict(model, target, Code.COST)
    return PlaceVerdict(model, target, None)


def _step(rule: Rule, standing: Standing, places: tuple[Place, ...]) -> Step:
    candidate = standing.candidate
    limit = candidate.first_token_ms_max
    return Step(
        model=candidate.model,
        targets=frozenset(place.target for place in places),
        substitute=candidate.substitute,
        first_token_ms_max=rule.first_token_ms_max if limit is None else limit,
    )


def _ordered(
    rule: Rule, left: list[tuple[Standing, tuple[Place, ...]]]
) -> list[tuple[Standing, tuple[Place, ...]]]:
    """Sorting is stable: between equals, and where costs are unknown, the rule's order decides."""
    if rule.choose is Choose.CHEAPEST:
        return sorted(left, key=lambda each: _expected_usd(each[1]))
    if rule.choose is Choose.BEST_VALUE:
        return sorted(left, key=lambda each: -_value(rule, *each))
    return left


def _value(rule: Rule, standing: Standing, places: tuple[Place, ...]) -> float:
    cost = rule.score_per_usd * _expected_usd(places) if rule.score_per_usd else 0.0
    return standing.quality.mean - cost


def _expected_usd(places: tuple[Place, ...]) -> float:
    """At the cheapest place; unknown costs come last."""
    costs = [place.expected_nano for place in places if place.expected_nano is not None]
    return min(costs) / NANO_PER_USD if costs else float("inf")
