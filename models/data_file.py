"""Reads the YAML data files of this room, and reports every problem of a file at once.

A file is one mapping with one key that holds a list of entries. Each entry is checked against
its strict type, so an unknown key or a wrong type is refused with the place where it stands.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from models.yaml_file import BadYaml, read_yaml

FILE_BYTES_MAX = 1 << 20

_DATA_FOLDER = Path(__file__).parent / "data"


class Entry(BaseModel):
    """Base of everything read from a data file: immutable, strict, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Source(Entry):
    """Where a figure comes from, the day on which it was true, and how sure it is.

    ``exact``: as its owner publishes it, or counted. ``estimated``: second-hand, unverified, or
    taken over from something alike.
    """

    mark: Literal["exact", "estimated"]
    source: Annotated[str, Field(min_length=1, max_length=200)]
    as_of: date


EntryT = TypeVar("EntryT")


class BadDataFile(ValueError):
    """A data file that cannot be trusted; ``problems`` lists all that is wrong with it."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__(f"{path.name}: " + "; ".join(problems))


def data_path(name: str) -> Path:
    """A data file that ships with this room."""
    return _DATA_FOLDER / name


def read_entries(path: Path, key: str, entry_type: type[EntryT]) -> tuple[list[EntryT], list[str]]:
    """The valid entries under ``key``, and a line for each problem of the others."""
    try:
        document = read_yaml(path, FILE_BYTES_MAX).content
    except BadYaml as error:
        return [], [str(problem) for problem in error.problems]
    if not isinstance(document, dict) or list(document) != [key]:
        return [], [f"must hold the single key {key!r}"]
    raw_entries = document[key]
    if not isinstance(raw_entries, list):
        return [], [f"{key!r} must hold a list"]
    adapter = TypeAdapter(entry_type)
    entries: list[EntryT] = []
    problems: list[str] = []
    for index, raw in enumerate(raw_entries):
        try:
            entries.append(adapter.validate_python(raw))
        except ValidationError as error:
            problems += [f"{key}[{index}]{_place(detail)}" for detail in error.errors()]
    return entries, problems


def duplicates(names: list[str]) -> list[str]:
    """A line for each name that stands more than once."""
    return [f"{name!r} stands twice" for name in sorted(set(names)) if names.count(name) > 1]


def _place(detail: Any) -> str:
    path = "".join(f".{part}" for part in detail["loc"])
    return f"{path}: {detail['msg'].removeprefix('Value error, ')}"
