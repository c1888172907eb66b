"""Pools and rules as people write them; what cannot be read is a BadExperiment that says what to
write."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from benchmarks.simulation.asking import RuleShare
from benchmarks.simulation.experiment import BadExperiment
from benchmarks.simulation.offer_text import options_of
from benchmarks.simulation.pool_choices import rule_of
from benchmarks.simulation.pools import PoolChoice
from scheduler.routing.rule import Candidate, Choose, Rule

POOL_EXAMPLE = "small,replicas=2,profile=h200"
RULE_EXAMPLE = "small+large,choose=cheapest,share=0.7"
TEXT_CHARS_MAX = 400
CANDIDATES_MAX = 16
CHOICES = (Choose.IN_ORDER, Choose.CHEAPEST)


def parse_pool(text: str) -> PoolChoice:
    try:
        model, options = _first_and_options(text, ("replicas", "profile"))
        replicas = _whole(options["replicas"]) if "replicas" in options else None
        return PoolChoice(model, replicas, options.get("profile"))
    except ValueError as error:
        raise BadExperiment(f"pool {text!r}: {error}; write it as in {POOL_EXAMPLE}") from None


def parse_rule(text: str, known: Mapping[str, Rule] | None = None) -> RuleShare:
    """Models joined by ``+``, or the name of a ``known`` rule, that of a configuration: of its
    models, their order and when they stand in. One model alone is asked for by its name."""
    try:
        first, options = _first_and_options(text, ("choose", "share"))
        share = _share(options.get("share", "1"))
        if known and first in known:
            if "choose" in options:
                raise ValueError("the rule itself says what it chooses")
            return RuleShare(_simulated(known[first]), share)
        models = [model.strip() for model in first.split("+")]
        if not all(models) or len(set(models)) < len(models) or len(models) > CANDIDATES_MAX:
            raise ValueError(f"needs 1 to {CANDIDATES_MAX} different models, joined by +")
        return RuleShare(rule_of(models, _choose(options.get("choose"))), share)
    except ValueError as error:
        raise BadExperiment(f"rule {text!r}: {error}; write it as in {RULE_EXAMPLE}") from None


def _simulated(rule: Rule) -> Rule:
    """Quality, abilities and costs of a longest answer are not simulated: no candidate is left out
    for them."""
    candidates = tuple(Candidate(each.model, each.substitute) for each in rule.candidates)
    return Rule(rule.name, frozenset(), candidates, rule.choose)


def _first_and_options(text: str, known: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    if len(text) > TEXT_CHARS_MAX:
        raise ValueError(f"is longer than {TEXT_CHARS_MAX} characters")
    first, comma, rest = text.partition(",")
    if not first.strip() or "=" in first:
        raise ValueError("begins with a model")
    return first.strip(), options_of(rest, known) if comma else {}


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError(f"{text!r} is no number of replicas")
    return int(text)


def _share(text: str) -> float:
    value = float(text)
    if not (isfinite(value) and value > 0):
        raise ValueError("share must be above 0")
    return value


def _choose(text: str | None) -> Choose:
    if text is None:
        return Choose.IN_ORDER
    if text not in CHOICES:
        raise ValueError(f"choose is one of {', '.join(CHOICES)}")
    return Choose(text)
