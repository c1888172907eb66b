"""A part of a config file without what is wrong in it, so that one mistake does not hide others.

What is read this way is never started: it is only looked at further.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from models.unknown_names import near_names
from runtime.config_problems import UNKNOWN, Path, known_names, problems

ROUNDS_MAX = 4  # what is left out may uncover what its section lacks

PartT = TypeVar("PartT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Repaired(Generic[PartT]):
    """``touched`` are the places that were left out, renamed or made up."""

    part: PartT
    touched: frozenset[Path]

    def is_about(self, path: Path) -> bool:
        """Whether what is said of ``path`` may be due to the repair."""
        return any(path[: len(each)] == each for each in self.touched)


def repaired(
    model: type[PartT], data: Any, made_up: Mapping[str, Any] | None = None
) -> Repaired[PartT] | None:
    """``made_up`` stands where a field of the part itself is missing or wrong. None: without what
    is wrong there is no such part."""
    content, touched = copy.deepcopy(data), set[Path]()
    for _ in range(ROUNDS_MAX):
        try:
            return Repaired(model.model_validate(content), frozenset(touched))
        except ValidationError as refused:
            for problem in problems(refused, model):
                near = _near(problem.path, model) if problem.wrong == UNKNOWN else None
                places = _mend(content, problem.path, near, made_up or {})
                if not places:
                    return None
                touched.update(places)
    return None


def _near(path: Path, model: type[BaseModel]) -> str | None:
    """The one field that a misspelt name can mean."""
    near = near_names(str(path[-1]), known_names(model, path[:-1]))
    return near[0] if near else None


def _mend(content: Any, path: Path, near: str | None, made_up: Mapping[str, Any]) -> list[Path]:
    """Takes out what is wrong, and says where; []: nothing can be taken out."""
    if len(path) == 1 and path[0] in made_up and isinstance(content, dict):
        content[path[0]] = made_up[str(path[0])]
        return [path]
    for length in range(len(path), 0, -1):  # from the innermost place that is there
        holder, last = _at(content, path[: length - 1]), path[length - 1]
        if isinstance(holder, dict) and last in holder:
            value = holder.pop(last)
            if near is None or near in holder:
                return [path[:length]]
            holder[near] = value
            return [path[:length], (*path[: length - 1], near)]
    return []


def _at(content: Any, path: Path) -> Any:
    for part in path:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return None
    return content
