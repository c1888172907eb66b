"""Where a request may go, of all targets at once: worked out once a day for each kind of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from scheduler.compliance.evaluate_rules import Forbidden, forbids
from scheduler.compliance.policy_pack import PolicyRule
from scheduler.compliance.request_traits import Traits
from scheduler.compliance.target_facts import TargetFacts
from scheduler.compliance.verdict_grounds import Grounds, grounds

LOCAL = "local"  # no offer is called so: theirs have a slash
KEPT_MAX = 4_096  # kinds of requests: places of users, protections, classes of data


@dataclass(frozen=True, slots=True)
class Allowance:
    """``offers`` are the ids of those that may have the request, ``is_local`` whether the replicas
    here may; ``forbidden`` says of every other target why not, by "local" or its offer's id."""

    offers: frozenset[str]
    is_local: bool
    forbidden: Mapping[str, Forbidden]


class Matrix:
    """The rules in force, and the facts about every target."""

    def __init__(
        self,
        rules: Sequence[PolicyRule],
        own: TargetFacts,
        offers: Mapping[str, TargetFacts],
        version: str = "",
    ) -> None:
        """``version`` names these rules and facts in what is kept of a request."""
        self.version = version
        self._rules = tuple(rules)
        self._own = own
        self._offers = dict(offers)
        self._known: dict[tuple[Traits, date], Allowance] = {}
        self._grounds: dict[tuple[str, str | None, Traits, date], Grounds] = {}
        # Without rules nobody need work out what a request is.
        self.everything = None if rules else Allowance(frozenset(offers), True, {})

    def allowance(self, traits: Traits, today: date) -> Allowance:
        known = self._known.get((traits, today))
        if known is None:
            if len(self._known) >= KEPT_MAX:
                self._known.clear()
            known = self._known[traits, today] = self._work_out(traits, today)
        return known

    def grounds(
        self, target: str, traits: Traits, today: date, model: str | None = None
    ) -> Grounds | None:
        """What the verdict on "local" or an offer's id rests on; None where no rule is in force, or
        the target has gone."""
        facts = self._own if target == LOCAL else self._offers.get(target)
        if not self._rules or facts is None:
            return None
        known = self._grounds.get((target, model, traits, today))
        if known is None:
            if len(self._grounds) >= KEPT_MAX:
                self._grounds.clear()
            known = grounds(self._rules, traits, facts, today, self.version, model)
            self._grounds[target, model, traits, today] = known
        return known

    def _work_out(self, traits: Traits, today: date) -> Allowance:
        targets = {LOCAL: self._own, **self._offers}
        verdicts = {
            target: forbids(self._rules, traits, facts, today) for target, facts in targets.items()
        }
        forbidden = {target: each for target, each in verdicts.items() if each is not None}
        offers = frozenset(offer for offer in self._offers if offer not in forbidden)
        return Allowance(offers, LOCAL not in forbidden, forbidden)
