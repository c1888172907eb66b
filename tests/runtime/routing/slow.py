"""What may answer a request, worked out slowly from the configuration as it is written.

The oracle of the tests: it shares no code with the plan but the laws' own oracle, and asks every
question of every target again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from scheduler.compliance.policy_pack import PolicyRule as Law
from scheduler.compliance.request_traits import Protection, Traits
from scheduler.compliance.target_facts import TargetFacts
from tests.scheduler.compliance.slow import COUNTRIES, holds, may_have


@dataclass(frozen=True)
class Target:
    """``name`` is "local" or an offer's id."""

    model: str
    name: str
    facts: TargetFacts
    expected_nano: int | None
    worst_nano: int | None
    context: int


@dataclass(frozen=True)
class Request:
    model: str
    task: str | None
    language: str | None
    sensitivity: str
    home: str | None
    tools: bool
    tokens: int


@dataclass(frozen=True)
class Answer:
    """``steps`` are models with their targets, in order; None: there is no rule to follow.
    ``is_forbidden``: laws or rules keep the request from a target, and nothing is left."""

    steps: list[tuple[str, set[str]]] | None
    is_forbidden: bool = False


def answer(
    config: Mapping[str, Any],
    laws: tuple[Law, ...],
    targets: list[Target],
    request: Request,
    today: date,
) -> Answer:
    rule = rule_for(config.get("rules", {}), request)
    if rule is None:
        return Answer(None)
    for with_language in (True, False):
        steps = []
        for candidate in rule["candidates"]:
            candidate = candidate if isinstance(candidate, dict) else {"model": candidate}
            left = {
                target.name
                for target in targets
                if target.model == candidate["model"]
                and lawful(rule, laws, target, request, today)
                and (
                    not rule["is_rule"]
                    or fits(config, rule, candidate, target, request, with_language)
                )
            }
            if left:
                steps.append((candidate["model"], left))
        if steps:
            return Answer(in_order(config, rule, steps, targets, request))
    asked = [c if isinstance(c, str) else c["model"] for c in rule["candidates"]]
    unlawful = any(
        target.model in asked and not lawful(rule, laws, target, request, today)
        for target in targets
    )
    return Answer([], unlawful)


def rule_for(rules: Mapping[str, Any], request: Request) -> dict[str, Any] | None:
    """The written rule, with ``is_rule`` True; for a model that is named one of its own."""
    if request.model in rules:
        return {**rules[request.model], "is_rule": True}
    if request.model != "auto" or not rules:
        return {"candidates": [request.model], "is_rule": False}
    for wanted in (request.task, "default"):
        for rule in rules.values():
            if wanted in rule.get("tasks", []):
                return {**rule, "is_rule": True}
    return None


def lawful(
    rule: Mapping[str, Any],
    laws: tuple[Law, ...],
    target: Target,
    request: Request,
    today: date,
) -> bool:
    traits = Traits(request.home, Protection[request.sensitivity.upper()])
    if not may_have(laws, traits, target.facts, today):
        return False
    everything = ["public", "internal", "pii", "regulated"]
    if request.sensitivity not in rule.get("allowed_sensitivity", everything):
        return False
    within = rule.get("inference_within")
    if within is None:
        return True
    where = target.facts.inference_jurisdictions
    if where is None:
        return False
    return all(holds(within, each, None) for each in COUNTRIES if holds(where, each, None))


def fits(
    config: Mapping[str, Any],
    rule: Mapping[str, Any],
    candidate: Mapping[str, Any],
    target: Target,
    request: Request,
    with_language: bool,
) -> bool:
    model, can = candidate["model"], config.get("abilities", {}).get(candidate["model"], {})
    needs = rule.get("needs", {})
    spoken = can.get("languages")
    languages = set(needs.get("languages", []))
    if with_language and request.language is not None:
        languages.add(request.language)
    tokens = max(request.tokens, needs.get("context_tokens", 0))
    floor = candidate.get("quality_floor", rule.get("quality_floor", 0))
    score = published(config, rule, model, request)
    ceiling = rule.get("cost_usd_max")
    return (
        not ((request.tools or needs.get("tools")) and can.get("tools") is False)
        and (spoken is None or all(each in spoken for each in languages))
        and tokens <= can.get("context_tokens_max", tokens)
        and tokens <= target.context
        and not (score is not None and score < floor)
        and not (
            ceiling is not None
            and (target.worst_nano is None or target.worst_nano > float(ceiling) * 1e9)
        )
    )


def published(
    config: Mapping[str, Any], rule: Mapping[str, Any], model: str, request: Request
) -> float | None:
    scores = config.get("quality", {}).get(model, {})
    task = request.task
    if task is None and len(rule.get("tasks", [])) == 1:
        task = rule["tasks"][0]
    found: float | None = scores.get("tasks", {}).get(task, scores.get("overall"))
    return found


def in_order(
    config: Mapping[str, Any],
    rule: Mapping[str, Any],
    steps: list[tuple[str, set[str]]],
    targets: list[Target],
    request: Request,
) -> list[tuple[str, set[str]]]:
    """By repeatedly taking the best that is left, the first of those that are as good."""

    def cost(step: tuple[str, set[str]]) -> float:
        known = [
            target.expected_nano / 1e9
            for target in targets
            if target.model == step[0]
            and target.name in step[1]
            and target.expected_nano is not None
        ]
        return min(known) if known else float("inf")

    def worth(step: tuple[str, set[str]]) -> float:
        choose = rule.get("choose", "in_order")
        if choose == "in_order":
            return 0.0
        if choose == "cheapest":
            return -cost(step)
        score = published(config, rule, step[0], request)
        rate = rule.get("score_per_usd", 0)
        return (0.5 if score is None else score) - (rate * cost(step) if rate else 0.0)

    left, ordered = list(steps), []
    while left:
        best = left[0]
        for step in left[1:]:
            if worth(step) > worth(best):
                best = step
        ordered.append(best)
        left.remove(best)
    return ordered
