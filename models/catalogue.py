"""The models that can be served: shape, limits, how an engine has to read them, what they can do.

An entry holds the keys of the repository's config.json that its shape follows from; sizes, weight
formats and context are derived from them. A name is looked up exactly. An unknown one is refused
with the nearest known names, so that a typing error costs one reading and never reaches an engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from models.data_file import BadDataFile, Entry, Source, data_path, duplicates, read_entries
from models.hf.config import BadModelConfig, shape_of
from models.shape import Shape
from models.sizing.tensors import tensors
from models.unknown_names import NAME_CHARS_MAX, UnknownName

_Text = Annotated[str, Field(min_length=1, max_length=200)]
_Texts = Annotated[tuple[_Text, ...], Field(strict=False)]


class Capabilities(Entry):
    """What a request may ask of the model. ``languages`` are those it is mainly used in."""

    tools: bool
    reasoning: bool
    languages: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class Score(Entry):
    """What a benchmark of one task gave, in percent."""

    task: Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")]
    benchmark: _Text
    score: Annotated[float, Field(ge=0, le=100)]


class Evaluation(Source):
    """Scores that one source reports. Scores of two sources need not be comparable."""

    scores: Annotated[tuple[Score, ...], Field(strict=False, min_length=1)]


class Sources(Entry):
    """Where the parts of an entry come from. ``engine``: the parsers."""

    config: Source
    engine: Source
    licence: Source
    capabilities: Source


class Model(Entry):
    """One entry of the catalogue.

    ``config`` is part of the config.json of ``repo_id``. None instead of a parser: the engine
    needs none. ``registration`` names the registration that the deployer has of a generative-AI
    service with this model; None: not known. ``notes`` say what is left out.
    """

    model_id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=NAME_CHARS_MAX)]
    repo_id: _Text
    config: dict[str, Any]
    tool_parser: _Text | None = None
    reasoning_parser: _Text | None = None
    licence: _Text
    registration: _Text | None = None
    capabilities: Capabilities
    quality: Annotated[tuple[Evaluation, ...], Field(strict=False)] = ()
    sources: Sources
    notes: _Texts = ()

    def shape(self) -> Shape:
        """The model's shape. Raises BadModelConfig; never for an entry of a catalogue that was
        loaded."""
        return shape_of(self.config)

    @property
    def architecture(self) -> str:
        """The name in the engine's registry."""
        return self.shape().architecture

    @property
    def context_tokens_max(self) -> int:
        return self.shape().context_tokens_max

    @property
    def layers(self) -> int:
        return self.shape().layers

    @property
    def weight_dtypes(self) -> tuple[str, ...]:
        """The formats of the weights, that of the most weights first."""
        formats = self.shape().formats
        names = (formats.routed.name, formats.attention.name, formats.dense.name)
        return tuple(dict.fromkeys(names))

    @property
    def total_params(self) -> int:
        """The parameters of the text model, without draft and vision layers."""
        return sum(tensor.params for tensor in tensors(self.shape()))

    @property
    def active_params(self) -> int:
        """Those that one token is multiplied with."""
        return sum(tensor.active_params for tensor in tensors(self.shape()))


class UnknownModel(UnknownName):
    noun = "model"
    where = "catalogue"


@dataclass(frozen=True, slots=True)
class Catalogue:
    models: tuple[Model, ...]

    def get(self, model_id: str) -> Model:
        for model in self.models:
            if model.model_id == model_id:
                return model
        raise UnknownModel(model_id, [model.model_id for model in self.models])

    def of_repo(self, repo_id: str) -> Model | None:
        """The entry for a repository, so that a known one needs no network."""
        return next((model for model in self.models if model.repo_id == repo_id), None)


def load_catalogue(path: Path | None = None) -> Catalogue:
    """The catalogue of this project, or of ``path``; raises BadDataFile."""
    path = data_path("models.yaml") if path is None else path
    models, problems = read_entries(path, "models", Model)
    problems += duplicates([model.model_id for model in models])
    problems += duplicates([model.repo_id for model in models])
    for model in models:
        problems += _unsized(model)
    if problems:
        raise BadDataFile(path, problems)
    return Catalogue(tuple(models))


def _unsized(model: Model) -> list[str]:
    try:
        assumed = model.shape().unknown
    except BadModelConfig as error:
        return [f"{model.model_id}.config: {problem}" for problem in error.problems]
    return [f"{model.model_id}.config leaves open: {text}" for text in assumed]
