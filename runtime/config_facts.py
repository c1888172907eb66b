"""What the configuration states about targets and laws, for the rules of policy packs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from models.config_values import ConfigSection, written
from models.data_file import BadDataFile
from models.unknown_names import did_you_mean
from runtime.config_types import ModelName
from runtime.policy_packs import Word, read_pack, rules_of, shipped_packs
from scheduler.compliance.jurisdictions import COUNTRIES
from scheduler.compliance.policy_pack import PolicyRule
from scheduler.compliance.target_facts import (
    Contract,
    ModelRegistration,
    TargetFacts,
    registrations_for,
)

PACKS_MAX = 32
FACTS_MAX = 256  # of each kind, of one target


def _country(code: str) -> str:
    """No rule names a country that there is not: a slip would free its users of every law."""
    if code not in COUNTRIES:
        raise ValueError(f"expected {COUNTRY}")
    return code


COUNTRY = "a country of ISO 3166 in two small letters, such as cn (gb, not uk)"
Country = Annotated[str, AfterValidator(_country), written(COUNTRY)]
Place = Annotated[str, Field(pattern=r"^([a-z]{2}|eu|eea|anywhere)$")]
Places = Annotated[frozenset[Place], Field(min_length=1, max_length=FACTS_MAX)]
Line = Annotated[str, Field(min_length=1, max_length=256)]


class RegistrationConfig(ConfigSection):
    """A model that was filed with, or registered at, an authority."""

    jurisdiction: Country
    """The country whose authority it is, such as cn."""
    number: Line
    """The number that the authority gave."""
    model_name: Line
    """The name under which the model is filed; users there have to be shown both."""
    models: Annotated[frozenset[ModelName], Field(min_length=1, max_length=FACTS_MAX)] | None = None
    """Catalogue ids that it is for; none is every model of the target."""

    def registration(self) -> ModelRegistration:
        return ModelRegistration(self.jurisdiction, self.number, self.model_name, self.models)


class ContractConfig(ConfigSection):
    """An agreement with a provider, or a mechanism by which data may be transferred."""

    kind: Word
    """Such as DPA, SCC, BCR, DPF, BAA, CAC-contract, PDPC-clauses, PCPD-clauses."""
    reference: Line
    """Where it can be found: a number, or a file."""
    valid_until: Annotated[date, written('quoted date, such as "2027-11-30"')]
    """Its last day."""
    sources: Places | None = None
    """Of a transfer: where data leaves."""
    destinations: Places | None = None
    """Of a transfer: where data may go."""

    def contract(self) -> Contract:
        return Contract(
            self.kind,
            self.reference,
            self.valid_until,
            self.sources or frozenset(),
            self.destinations or frozenset(),
        )


class FactsConfig(ConfigSection):
    """What is known of a target. What is left out is unknown, and no rule takes it for granted."""

    storage_regions: Places | None = None
    """Where prompts and answers rest: countries in two small letters, eu, eea, or anywhere."""
    inference_jurisdictions: Places | None = None
    """Where the model may run. Many vendors' global endpoints are anywhere."""
    operator_jurisdiction: Country | None = None
    """Whose law the company that runs it answers to."""
    operator: Line | None = None
    """That company's name."""
    open_weights: bool | None = None
    """Whether the model's weights are open."""
    retention_days: Annotated[int, Field(ge=0, le=36_500)] | None = None
    """Days for which prompts and answers are kept; 0 keeps none."""
    trains_on_data: bool | None = None
    """Whether prompts and answers may be used for training."""
    registrations: Annotated[tuple[RegistrationConfig, ...], Field(max_length=FACTS_MAX)] = ()
    """Authorities that the model is registered at."""
    contracts: Annotated[tuple[ContractConfig, ...], Field(max_length=FACTS_MAX)] = ()
    """Agreements that are in force."""
    documents: Annotated[frozenset[Word], Field(max_length=FACTS_MAX)] = frozenset()
    """Papers that the vendor has passed on, such as technical-documentation."""

    def facts(self, models: Collection[str], *, is_own: bool = False) -> TargetFacts:
        """The facts of a target with these models."""
        registrations = [each.registration() for each in self.registrations]
        return TargetFacts(
            storage_regions=self.storage_regions,
            inference_jurisdictions=self.inference_jurisdictions,
            operator_jurisdiction=self.operator_jurisdiction,
            operator=self.operator,
            is_own=is_own,
            open_weights=self.open_weights,
            retention_days=self.retention_days,
            trains_on_data=self.trains_on_data,
            registrations=registrations_for(registrations, models),
            contracts=tuple(each.contract() for each in self.contracts),
            documents=self.documents,
        )


def _pack(name: str) -> str:
    """ValueError for one that is not shipped, and for a file that cannot be used."""
    shipped = shipped_packs()
    if not name.startswith("/") and name not in shipped:
        raise ValueError(f"there is no such pack; {did_you_mean(name, shipped) or _known(shipped)}")
    try:
        read_pack(_path(name))
    except BadDataFile as error:
        raise ValueError(str(error)) from None
    return name


def _known(names: Iterable[str]) -> str:
    return "known are " + ", ".join(names)


def _path(name: str) -> Path:
    return Path(name) if name.startswith("/") else shipped_packs()[name]


PackName = Annotated[str, Field(min_length=1, max_length=1_024), AfterValidator(_pack)]


class ComplianceConfig(ConfigSection):
    """Which laws are kept, and what is true of the replicas here."""

    packs: Annotated[tuple[PackName, ...], Field(max_length=PACKS_MAX)] = ()
    """Policy packs in force: shipped ones by name, your own files by their whole path."""
    own: FactsConfig = FactsConfig()
    """The facts about all replicas of this installation."""
    retain_days: Annotated[int, Field(ge=1, le=36_500)] = 184
    """Days for which a row of the ledger says that it is to be kept; nothing is ever deleted."""

    _rules: tuple[PolicyRule, ...] = ()

    @model_validator(mode="after")
    def _read_packs(self) -> Self:
        """Once: a file that changes or goes later changes nothing until the next deploy."""
        self._rules = rules_of(read_pack(_path(name)) for name in self.packs)
        return self

    @property
    def rules(self) -> tuple[PolicyRule, ...]:
        """The rules of all packs, in their order."""
        return self._rules

    def with_rule(self, rule: PolicyRule) -> Self:
        """The same, as if a pack in force had one more rule."""
        made = self.model_copy()
        made._rules = (*self._rules, rule)
        return made
