"""The policy packs that ship with Baseload, and those that an operator wrote: files into rules."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from models.data_file import BadDataFile, Entry, data_path, duplicates, read_entries
from scheduler.compliance.jurisdictions import ANYWHERE, COUNTRIES, GROUPS, expanded
from scheduler.compliance.policy_pack import HOME, Pack, PolicyRule, Require, When
from scheduler.compliance.request_traits import Protection

_FOLDER = "policy_packs"
RULES_MAX = 256  # of a pack


def _as_set(listed: object) -> object:
    return frozenset(listed) if isinstance(listed, list) else listed


Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$")]
# A class that is written in two ways is the same one: else a slip would free it of its rule.
DataClass = Annotated[Word, AfterValidator(str.lower)]
_SET = (BeforeValidator(_as_set), Field(min_length=1, max_length=300))
_Words = Annotated[frozenset[Word], *_SET]
_Classes = Annotated[frozenset[DataClass], *_SET]


def _country(code: str) -> str:
    """Users of a country that there is not would be users of no rule."""
    if code not in COUNTRIES | GROUPS.keys():
        raise ValueError("expected a country of ISO 3166 in two small letters (gb, not uk), or eea")
    return code


def _place(code: str) -> str:
    return code if code in (HOME, ANYWHERE) else _country(code)


_Users = Annotated[frozenset[Annotated[str, AfterValidator(_country)]], *_SET]
_Places = Annotated[frozenset[Annotated[str, AfterValidator(_place)]], *_SET]


def _protection(text: object) -> object:
    names = {each.name.lower(): each for each in Protection}
    return names.get(text, text) if isinstance(text, str) else text


class _When(Entry):
    users_in: _Users | None = None
    protection_min: Annotated[Protection, BeforeValidator(_protection)] = Protection.PUBLIC
    data_classes: _Classes | None = None


class _Require(Entry):
    inference_within: _Places | None = None
    storage_within: _Places | None = None
    or_transfer: _Words = frozenset()
    operator_in: _Places | None = None
    is_registered: bool = False
    open_weights: bool = False
    no_training: bool = False
    retention_days_max: Annotated[int, Field(ge=0)] | None = None
    contracts: _Words = frozenset()
    documents: _Words = frozenset()


class _Rule(Entry):
    rule: Word
    source: Annotated[str, Field(min_length=1, max_length=300)]
    when: _When
    require: _Require


class _Pack(Entry):
    name: Word
    as_of: date
    rules: Annotated[list[_Rule], Field(min_length=1, max_length=RULES_MAX)]

    def pack(self) -> Pack:
        return Pack(self.name, self.as_of, tuple(_rule(self.name, each) for each in self.rules))


def _rule(pack: str, entry: _Rule) -> PolicyRule:
    return PolicyRule(
        rule_id=f"{pack}/{entry.rule}",
        when=_expanded(When(**dict(entry.when))),
        require=Require(**dict(entry.require)),
        source=entry.source,
    )


def _expanded(when: When) -> When:
    """A user is in one country: a group in ``users_in`` stands for its members."""
    if when.users_in is None:
        return when
    return When(expanded(when.users_in), when.protection_min, when.data_classes)


def shipped_packs() -> dict[str, Path]:
    """The shipped packs by name."""
    return {path.stem: path for path in sorted(data_path(_FOLDER).glob("*.yaml"))}


def read_pack(path: Path) -> Pack:
    """BadDataFile with everything that is wrong with the file."""
    entries, problems = read_entries(path, "pack", _Pack)
    if len(entries) != 1 and not problems:
        problems = [f"must hold one pack, not {len(entries)}"]
    for entry in entries:
        problems += duplicates([rule.rule for rule in entry.rules])
    if problems:
        raise BadDataFile(path, problems)
    return entries[0].pack()


def rules_of(packs: Iterable[Pack]) -> tuple[PolicyRule, ...]:
    """All rules in the order of their packs: the first that forbids is the verdict."""
    return tuple(rule for pack in packs for rule in pack.rules)
