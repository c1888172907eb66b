"""What a model needs of the engine beyond its layout, or runs better with, per card.

A recipe never holds what a plan decides: such a flag is refused when the file is read.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

from pydantic import Field

from models.data_file import BadDataFile, Source, data_path, read_entries
from models.vllm_flags import FLAGS_OF_LAYOUTS, Flags

PLANNED_FLAGS = frozenset(
    {
        "max-model-len",
        "max-num-seqs",
        "max-num-batched-tokens",
        "gpu-memory-utilization",
        "kv-cache-dtype",
        *FLAGS_OF_LAYOUTS,
    }
)

_Names = Annotated[tuple[str, ...], Field(strict=False)]


class Recipe(Source):
    """Flags and environment for ``models`` on ``cards``; no cards: on all."""

    models: Annotated[_Names, Field(min_length=1)]
    cards: _Names = ()
    flags: Flags = Field(default_factory=dict)
    env: dict[str, str] = Field(default_factory=dict)

    def is_for(self, model_id: str, card_id: str) -> bool:
        return model_id in self.models and (not self.cards or card_id in self.cards)


def load_recipes(path: Path | None = None) -> tuple[Recipe, ...]:
    """Every recipe of this project, or of ``path``; raises BadDataFile."""
    path = data_path("recipes.yaml") if path is None else path
    recipes, problems = read_entries(path, "recipes", Recipe)
    problems += [
        f"{', '.join(recipe.models)}: {name} is for the plan to decide"
        for recipe in recipes
        for name in sorted(PLANNED_FLAGS & recipe.flags.keys())
    ]
    if problems:
        raise BadDataFile(path, problems)
    return tuple(recipes)


def recipe_flags(model_id: str, card_id: str) -> Flags:
    """A later entry of the file overrides an earlier one."""
    found: Flags = {}
    for recipe in _recipes():
        if recipe.is_for(model_id, card_id):
            found |= recipe.flags
    return found


def recipe_env(model_id: str, card_id: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for recipe in _recipes():
        if recipe.is_for(model_id, card_id):
            found |= recipe.env
    return found


@functools.cache
def _recipes() -> tuple[Recipe, ...]:
    """Read once: a plan asks for every layout that it prints."""
    return load_recipes()
