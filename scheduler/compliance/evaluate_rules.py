"""May this target have this request? The one answer that every path asks for.

It fails closed: a fact that a rule asks for and nobody stated is a refusal, with the name of the
rule and of the fact. The first finding is the verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from scheduler.compliance.jurisdictions import expanded, outside
from scheduler.compliance.policy_pack import HOME, PolicyRule, Require
from scheduler.compliance.request_traits import Traits
from scheduler.compliance.target_facts import Contract, TargetFacts


@dataclass(frozen=True, slots=True)
class Forbidden:
    """``fact`` is what the rule asked for; ``is_known`` says that it is stated and not enough."""

    rule_id: str
    fact: str
    is_known: bool

    def __str__(self) -> str:
        return f"{self.rule_id}: {self.fact} {'does not allow it' if self.is_known else 'unknown'}"


def forbids(
    rules: Sequence[PolicyRule], traits: Traits, facts: TargetFacts, today: date
) -> Forbidden | None:
    """The first rule that keeps the request from the target; None where it may have it."""
    for rule in rules:
        if rule.when.matches(traits):
            for fact, is_known in _unmet(rule.require, traits, facts, today):
                return Forbidden(rule.rule_id, fact, is_known)
    return None


def _unmet(
    require: Require, traits: Traits, facts: TargetFacts, today: date
) -> Iterator[tuple[str, bool]]:
    """The facts that are not enough, and whether each is known at all."""
    places = (
        ("inference_jurisdictions", require.inference_within, facts.inference_jurisdictions),
        ("storage_regions", require.storage_within, facts.storage_regions),
    )
    for fact, within, where in places:
        if within is not None and not _stays(where, within, require, traits, facts, today):
            yield fact, where is not None
    if require.operator_in is not None:
        operator = facts.operator_jurisdiction
        allowed = _allowed(require.operator_in, traits)
        if operator is None or allowed is None or outside({operator}, allowed):
            yield "operator_jurisdiction", operator is not None
    if require.is_registered:
        known = traits.user_in is not None and facts.registration_in(traits.user_in) is not None
        if not known:
            yield "registrations", traits.user_in is not None and bool(facts.registrations)
    if require.open_weights and facts.open_weights is not True:
        yield "open_weights", facts.open_weights is not None
    if require.no_training and facts.trains_on_data is not False:
        yield "trains_on_data", facts.trains_on_data is not None
    days_max = require.retention_days_max
    if days_max is not None and (facts.retention_days is None or facts.retention_days > days_max):
        yield "retention_days", facts.retention_days is not None
    if require.contracts and not (facts.is_own or _has(facts.contracts, require.contracts, today)):
        yield "contracts", bool(facts.contracts)
    if not require.documents <= facts.documents:
        yield "documents", bool(facts.documents)


def _allowed(codes: frozenset[str], traits: Traits) -> frozenset[str] | None:
    """With the user's jurisdiction in the place of "home"; None where that is unknown."""
    if HOME not in codes:
        return codes
    return None if traits.user_in is None else codes - {HOME} | {traits.user_in}


def _stays(
    where: frozenset[str] | None,
    within: frozenset[str],
    require: Require,
    traits: Traits,
    facts: TargetFacts,
    today: date,
) -> bool:
    allowed = _allowed(within, traits)
    if not where or allowed is None:
        return False
    away = outside(where, allowed)
    if not away:
        return True
    if traits.user_in is None:
        return False
    flows = transfers(facts.contracts, require.or_transfer, traits.user_in, today)
    return all(any(place in expanded(flow.destinations) for flow in flows) for place in away)


def transfers(
    contracts: Collection[Contract], kinds: Collection[str], source: str, today: date
) -> list[Contract]:
    """The mechanisms of these kinds that hold today for data that leaves ``source``."""
    return [
        each
        for each in contracts
        if each.kind in kinds and each.is_valid(today) and source in expanded(each.sources)
    ]


def _has(contracts: Collection[Contract], kinds: frozenset[str], today: date) -> bool:
    return any(each.kind in kinds and each.is_valid(today) for each in contracts)
