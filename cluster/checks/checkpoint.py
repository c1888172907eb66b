"""A checkpoint folder as far as a start needs it: config.json, weights, tokenizer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from cluster.config_finding import ConfigFinding, error, warning
from models.catalogue import Model
from models.hf.config import BadModelConfig, shape_of
from models.shape import Shape
from models.sizing.vllm_layout_rules import refusal
from runtime.config_problems import Path
from runtime.engine.engine_settings import EngineSettings

CONFIG = "config.json"
CONFIG_BYTES_MAX = 4 << 20
INDEX_BYTES_MAX = 64 << 20
INDEX = "model.safetensors.index.json"
WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.gguf")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tekken.json", "*.tiktoken", "tiktoken.model")
NESTED = ("text_config", "llm_config", "language_config")


def checkpoint_findings(model: Model, settings: EngineSettings, path: Path) -> list[ConfigFinding]:
    """``path`` is the place of the pool in the file."""
    where, folder = (*path, "checkpoint"), settings.checkpoint
    if not os.path.isdir(folder):
        there = "is no folder" if os.path.exists(folder) else "does not exist here"
        return [error(where, f"{folder} {there}", f"the folder that holds {model.repo_id}")]
    if not os.access(folder, os.R_OK | os.X_OK):
        return [error(where, f"{folder} cannot be read by this user")]
    return [*_files(settings, where), *_shape(model, settings, path)]


def read_config(folder: FilePath) -> Mapping[str, Any] | None:
    """The folder's config.json; None where there is none that can be read."""
    found = _json(folder / CONFIG, CONFIG_BYTES_MAX)
    return found if isinstance(found, Mapping) else None


def own_shape(folder: FilePath) -> Shape | None:
    """None where there is none, or one that only vLLM can read."""
    config = read_config(folder)
    try:
        return None if config is None else shape_of(config)
    except BadModelConfig:
        return None


def context_of(config: Mapping[str, Any]) -> int | None:
    """The longest context that its positions can be made to reach, as far as it says."""
    inner = [config[key] for key in NESTED if isinstance(config.get(key), Mapping)]
    told = {**config, **(inner[0] if inner else {})}
    own = told.get("max_position_embeddings")
    if not isinstance(own, int):
        return None
    scaling = told.get("rope_scaling") or told.get("rope_parameters")
    if not isinstance(scaling, Mapping):
        return own
    factor, before = scaling.get("factor"), scaling.get("original_max_position_embeddings")
    if not isinstance(factor, int | float):
        return own
    return max(own, int((before if isinstance(before, int) else own) * factor))


def _files(settings: EngineSettings, where: Path) -> Iterator[ConfigFinding]:
    folder = settings.checkpoint
    if read_config(folder) is None:
        yield error(where, f"{folder} has no {CONFIG} that can be read")
    if "load-format" not in settings.vllm_flags:  # else they may come from elsewhere
        yield from _weights(folder, where)
    if not any(_has(folder, name) for name in TOKENIZERS) and not any(
        name in settings.vllm_flags for name in ("tokenizer", "skip-tokenizer-init")
    ):
        yield error(where, f"{folder} has no tokenizer: none of {', '.join(TOKENIZERS)}")


def _weights(folder: FilePath, where: Path) -> Iterator[ConfigFinding]:
    if not any(_has(folder, name) for name in WEIGHTS):
        yield error(where, f"{folder} has no weights: none of {', '.join(WEIGHTS)}")
        return
    index = _json(folder / INDEX, INDEX_BYTES_MAX)
    files = index.get("weight_map") if isinstance(index, Mapping) else None
    if not isinstance(files, Mapping):
        return
    missing = sorted({str(name) for name in files.values() if not (folder / str(name)).is_file()})
    if missing:
        shown = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
        yield error(
            where, f"{folder} lacks {len(missing)} files of weights: {shown}", "download them again"
        )


def _shape(model: Model, settings: EngineSettings, path: Path) -> Iterator[ConfigFinding]:
    own = own_shape(settings.checkpoint)
    if own is None:
        return
    if own.architecture != model.architecture:
        yield warning(
            (*path, "checkpoint"),
            f"{settings.checkpoint} holds a {own.architecture}, and {model.model_id} is a "
            f"{model.architecture}",
        )
    why = refusal(own, settings.layout)
    if why is not None and refusal(model.shape(), settings.layout) is None:
        wrong = f"the checkpoint cannot run as {settings.layout}: {why}"
        yield error((*path, "engine"), wrong)


def _has(folder: FilePath, pattern: str) -> bool:
    return next(folder.glob(pattern), None) is not None


def _json(file: FilePath, bytes_max: int) -> Any:
    try:
        with file.open("rb") as content:
            text = content.read(bytes_max + 1)
        return json.loads(text) if len(text) <= bytes_max else None
    except (OSError, ValueError, RecursionError):
        return None
