"""The candidates of a request, each target with its verdict, in the order in which they are asked.

One function for every path: a named model is a rule with one candidate. What it leaves out, no
later step may bring back: an attempt, a retry or a purchase goes to a target of a step, or nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from models.money import NANO_PER_USD, NanoUsd, format_usd
from scheduler.compliance.compliance_matrix import LOCAL, Allowance
from scheduler.routing.quality_table import Quality
from scheduler.routing.rule import (
    LANGUAGE,
    Abilities,
    Candidate,
    Choose,
    Needs,
    Rule,
    Substitute,
    is_over,
)
from scheduler.routing.sessions import Kept


class Code(StrEnum):
    """Why a target is no step for a request, before anything is known of its load."""

    COMPLIANCE = "compliance"  # a rule of a policy pack; the detail names rule and fact
    WITHHELD = "withheld"  # a setting keeps the request from it; the detail names which
    ABILITY = "ability"  # the model cannot do what is asked; the detail names what
    QUALITY = "quality"  # below the floor of the rule
    COST = "cost"  # the worst case is above the ceiling, or unknown where there is one
    NOT_SERVED = "not_served"  # no pool and no offer has the model


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model may be asked: its pool, or one offer. Costs are of this request, in nano-USD;
    None is unknown. ``withheld`` names what else keeps the request from it."""

    target: str  # "local", or the id of an offer
    expected_nano: NanoUsd | None
    worst_nano: NanoUsd | None
    context_tokens_max: int | None = None
    withheld: str = ""


class CandidateStanding(NamedTuple):
    """A candidate as it stands when a request arrives."""

    candidate: Candidate
    abilities: Abilities
    quality: Quality
    places: Sequence[Place]


class PlaceVerdict(NamedTuple):
    """``code`` is None where the request may go."""

    model: str
    target: str
    code: Code | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What this request may ask for one model: the pool here if ``is_local``, and ``offers``."""

    model: str
    is_local: bool
    offers: frozenset[str]
    substitute: Substitute = Substitute.OVERLOAD
    first_token_ms_max: int | None = None


@dataclass(frozen=True, slots=True)
class RoutingPlan:
    """``steps`` is empty where nothing may answer; ``verdicts`` say why, for every candidate."""

    rule: Rule
    steps: tuple[Step, ...]
    verdicts: tuple[PlaceVerdict, ...]

    @property
    def is_forbidden(self) -> bool:
        """Nothing is left, and some target was left out for the law's sake."""
        return not self.steps and any(each.code is Code.COMPLIANCE for each in self.verdicts)


def plan(
    rule: Rule,
    standings: Sequence[CandidateStanding],
    needs: Needs,
    allowance: Allowance,
    kept: Kept | None = None,
) -> RoutingPlan:
    """``standings`` are of the rule's candidates, in its order. ``needs`` are the request's own,
    of which its languages are a hint: they count while a candidate has them. ``kept`` is where the
    turn before was served: what is cached there must be in the expected costs already."""
    found = _planned(rule, standings, rule.needs.joined(needs), allowance, kept)
    if found.steps or all(each.detail != LANGUAGE for each in found.verdicts):
        return found
    without = replace(needs, languages=rule.needs.languages)
    return _planned(rule, standings, rule.needs.joined(without), allowance, kept)


def _planned(
    rule: Rule,
    standings: Sequence[CandidateStanding],
    needs: Needs,
    allowance: Allowance,
    kept: Kept | None,
) -> RoutingPlan:
    verdicts: list[PlaceVerdict] = []
    left: list[tuple[CandidateStanding, list[Place]]] = []
    for standing in standings:
        model, allowed = standing.candidate.model, []
        refusal = _refusal(rule, standing, needs)
        for place in standing.places:
            why = _forbidden(place, allowance) or refusal or _place_refusal(rule, place, needs)
            if why is None:
                allowed.append(place)
            code, detail = why or (None, "")
            verdicts.append(PlaceVerdict(model, place.target, code, detail))
        if allowed:
            left.append((standing, allowed))
        elif not standing.places:
            verdicts.append(PlaceVerdict(model, "", Code.NOT_SERVED))
    steps = tuple(_step(rule, *each) for each in _ordered(rule, left, kept))
    return RoutingPlan(rule, steps, tuple(verdicts))


def _refusal(rule: Rule, standing: CandidateStanding, needs: Needs) -> tuple[Code, str] | None:
    """What keeps the request from the model, wherever it runs."""
    missing = standing.abilities.lacks(needs)
    if missing:
        return Code.ABILITY, missing
    floor = rule.floor(standing.candidate)
    if standing.quality.is_below(floor):
        return Code.QUALITY, f"{standing.quality.mean:.3f}, and the floor is {floor:g}"
    return None


def _forbidden(place: Place, allowance: Allowance) -> tuple[Code, str] | None:
    """Asked first: nothing else that is wrong with a place may hide that it is forbidden."""
    target = place.target
    if allowance.is_local if target == LOCAL else target in allowance.offers:
        return None
    why = allowance.forbidden.get(target)
    return Code.COMPLIANCE, "unknown target" if why is None else str(why)


def _place_refusal(rule: Rule, place: Place, needs: Needs) -> tuple[Code, str] | None:
    if place.withheld:
        return Code.WITHHELD, place.withheld
    if is_over(needs.context_tokens, place.context_tokens_max):
        return Code.ABILITY, "context"
    ceiling = rule.cost_nano_max
    if ceiling is not None and (place.worst_nano is None or place.worst_nano > ceiling):
        worst = "unknown" if place.worst_nano is None else f"up to {format_usd(place.worst_nano)}"
        return Code.COST, f"{worst} USD, and the ceiling is {format_usd(ceiling)}"
    return None


def _step(rule: Rule, standing: CandidateStanding, places: Sequence[Place]) -> Step:
    candidate = standing.candidate
    limit = candidate.first_token_ms_max
    targets = [place.target for place in places]
    return Step(
        model=candidate.model,
        is_local=LOCAL in targets,
        offers=frozenset(target for target in targets if target != LOCAL),
        substitute=candidate.substitute,
        first_token_ms_max=rule.first_token_ms_max if limit is None else limit,
    )


_Left = tuple[CandidateStanding, list[Place]]  # a candidate, and the places where it may answer


def _ordered(rule: Rule, left: list[_Left], kept: Kept | None) -> list[_Left]:
    """Sorting is stable: between equals, and where costs are unknown, the conversation's model
    and then the rule's order decide."""
    stays = _stays(left, kept)
    if rule.choose is Choose.CHEAPEST:
        return sorted(stays, key=lambda each: _expected_usd(each[1]))
    if rule.choose is Choose.BEST_VALUE:
        return sorted(stays, key=lambda each: -_value(rule, *each))
    if stays is not left and _expected_usd(left[0][1]) < _expected_usd(stays[0][1]):
        return left  # it saves more than what is lost of the cache
    return stays


def _stays(left: list[_Left], kept: Kept | None) -> list[_Left]:
    """With the model of the turn before first, if it may answer and is not the first already."""
    if kept is None or len(left) < 2:
        return left
    models = [standing.candidate.model for standing, _ in left]
    at = models.index(kept.model) if kept.model in models else 0
    return [left[at], *left[:at], *left[at + 1 :]] if at else left


def _value(rule: Rule, standing: CandidateStanding, places: Sequence[Place]) -> float:
    cost = rule.score_per_usd * _expected_usd(places) if rule.score_per_usd else 0.0
    return standing.quality.mean - cost


def _expected_usd(places: Sequence[Place]) -> float:
    """At the cheapest place; unknown costs come last."""
    costs = [place.expected_nano for place in places if place.expected_nano is not None]
    return min(costs) / NANO_PER_USD if costs else float("inf")
