"""The models that can be served: shape, limits, and how an engine has to read them.

A name is looked up exactly. An unknown one is refused with the nearest known names, so that a
typing error costs one reading and never reaches an engine.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from models.data_file import BadDataFile, Entry, data_path, duplicates, read_entries

MODEL_ID_CHARS_MAX = 64
NEAR_MATCHES_MAX = 3

WeightDtype = Literal["bfloat16", "fp8_block128", "int4_group32", "mxfp4"]

_Text = Annotated[str, Field(min_length=1, max_length=200)]
_Count = Annotated[int, Field(gt=0)]


class Capabilities(Entry):
    """What a request may ask of the model. ``languages`` are those it is mainly used in."""

    tools: bool
    reasoning: bool
    languages: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class Model(Entry):
    """One entry of the catalogue.

    ``architecture`` is the name in the engine's registry. ``total_params`` counts the text model
    without draft or vision layers; ``active_params`` those that one token passes through.
    ``weight_dtype`` is the format of most weights in ``repo_id``. None: the publisher sets no
    limit, or the engine needs no parser.
    """

    model_id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=MODEL_ID_CHARS_MAX)]
    repo_id: _Text
    architecture: _Text
    context_tokens_max: _Count
    output_tokens_max: _Count | None = None
    total_params: _Count
    active_params: _Count
    layers: _Count
    weight_dtype: WeightDtype
    licence: _Text
    capabilities: Capabilities
    tool_parser: _Text | None = None
    reasoning_parser: _Text | None = None
    source: _Text
    as_of: date


class UnknownModel(KeyError):
    """A name that is not in the catalogue; ``near`` lists known names that look like it."""

    def __init__(self, model_id: str, near: list[str]) -> None:
        super().__init__(model_id)
        self.model_id = model_id
        self.near = tuple(near)

    def __str__(self) -> str:
        hint = f"; did you mean {', '.join(self.near)}?" if self.near else ""
        return f"no model {self.model_id!r} in the catalogue{hint}"


@dataclass(frozen=True, slots=True)
class Catalogue:
    models: tuple[Model, ...]

    def get(self, model_id: str) -> Model:
        for model in self.models:
            if model.model_id == model_id:
                return model
        # Cut first: the name comes from outside, and the search is quadratic in its length.
        name = model_id[:MODEL_ID_CHARS_MAX].lower()
        known = [model.model_id for model in self.models]
        raise UnknownModel(name, difflib.get_close_matches(name, known, NEAR_MATCHES_MAX))


def load_catalogue(path: Path | None = None) -> Catalogue:
    """The catalogue of this project, or of ``path``; raises BadDataFile."""
    path = data_path("models.yaml") if path is None else path
    models, problems = read_entries(path, "models", Model)
    problems += duplicates([model.model_id for model in models])
    problems += [
        f"{model.model_id}: more active than total parameters"
        for model in models
        if model.active_params > model.total_params
    ]
    if problems:
        raise BadDataFile(path, problems)
    return Catalogue(tuple(models))
