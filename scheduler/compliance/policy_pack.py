"""A policy pack: dated rules of one law. A rule says when it applies and what it requires.

The shipped packs are files that an operator can read, change, and have read by a lawyer: they are
a starting point, not advice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from scheduler.compliance.request_traits import Protection, Traits

HOME = "home"  # in a set of jurisdictions: that of the user


@dataclass(frozen=True, slots=True)
class When:
    """All that is stated must match; what is not stated matches everything."""

    users_in: frozenset[str] | None = None
    protection_min: Protection = Protection.PUBLIC
    data_classes: frozenset[str] | None = None  # any of these

    def matches(self, traits: Traits) -> bool:
        # Nobody said where the user is: it may be here.
        is_here = self.users_in is None or traits.user_in is None or traits.user_in in self.users_in
        is_such = self.data_classes is None or bool(self.data_classes & traits.data_classes)
        return is_here and is_such and traits.protection >= self.protection_min


@dataclass(frozen=True, slots=True)
class Require:
    """Each field that is stated must hold of the target; the word "home" in a set stands for the
    user's jurisdiction. ``or_transfer`` names mechanisms that excuse data from staying within:
    one that is valid must name the flow from the user's jurisdiction to each other one."""

    inference_within: frozenset[str] | None = None
    storage_within: frozenset[str] | None = None
    or_transfer: frozenset[str] = frozenset()
    operator_in: frozenset[str] | None = None
    is_registered: bool = False  # in the user's jurisdiction
    open_weights: bool = False
    no_training: bool = False
    retention_days_max: int | None = None
    contracts: frozenset[str] = frozenset()  # one of these kinds, valid; not of an own pool
    documents: frozenset[str] = frozenset()  # all of these


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """``rule_id`` is "<pack>/<rule>"; ``source`` is the article of the law."""

    rule_id: str
    when: When
    require: Require
    source: str = ""


@dataclass(frozen=True, slots=True)
class Pack:
    name: str
    as_of: date
    rules: tuple[PolicyRule, ...] = field(default_factory=tuple)
