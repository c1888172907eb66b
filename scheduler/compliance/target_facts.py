"""What is known of a target, as far as a law asks: where data rests, where it is worked on, whose
law its operator answers to, and what was agreed. None is unknown, and unknown is never enough.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class ModelRegistration:
    """A model that was filed with, or registered at, an authority of ``jurisdiction``; both words
    have to be shown to users there. ``models`` are those of the target that it is for, None for
    all that there are."""

    jurisdiction: str
    number: str
    model_name: str
    models: frozenset[str] | None = None

    def is_for(self, model: str) -> bool:
        return self.models is None or model in self.models


@dataclass(frozen=True, slots=True)
class Contract:
    """An agreement with the target's operator, or a transfer mechanism.

    ``kind`` is its usual name: "DPA", "SCC", "BCR", "BAA", "CAC-contract", "CAC-assessment",
    "CAC-certificate", "PDPC-clauses", "PCPD-clauses". A transfer names the jurisdictions that data
    leaves (``sources``) and enters (``destinations``). It holds through its last day.
    """

    kind: str
    reference: str
    valid_until: date | None = None  # None: unknown, so not valid
    sources: frozenset[str] = frozenset()
    destinations: frozenset[str] = frozenset()

    def is_valid(self, today: date) -> bool:
        return self.valid_until is not None and today <= self.valid_until


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """The facts of one pool or one provider, as its operator states them. See the module on
    None."""

    storage_regions: frozenset[str] | None = None
    inference_jurisdictions: frozenset[str] | None = None
    operator_jurisdiction: str | None = None
    operator: str | None = None  # the legal entity
    is_own: bool = False  # a pool of this installation: nobody else works on the data
    open_weights: bool | None = None
    retention_days: int | None = None
    trains_on_data: bool | None = None
    registrations: tuple[ModelRegistration, ...] = ()
    contracts: tuple[Contract, ...] = ()
    documents: frozenset[str] = frozenset()  # that the vendor has passed on

    def registration_in(
        self, jurisdiction: str, model: str | None = None
    ) -> ModelRegistration | None:
        """The registration of one model, or of any."""
        found = (
            each
            for each in self.registrations
            if each.jurisdiction == jurisdiction and (model is None or each.is_for(model))
        )
        return next(found, None)


def registrations_for(
    registrations: Collection[ModelRegistration], models: Collection[str]
) -> tuple[ModelRegistration, ...]:
    """Those that count for a target with these models: of a jurisdiction where one of the models
    has none, nothing counts."""
    return tuple(
        each
        for each in registrations
        if all(_is_registered(registrations, each.jurisdiction, model) for model in models)
        and any(map(each.is_for, models))
    )


def _is_registered(
    registrations: Collection[ModelRegistration], jurisdiction: str, model: str
) -> bool:
    return any(each.jurisdiction == jurisdiction and each.is_for(model) for each in registrations)
