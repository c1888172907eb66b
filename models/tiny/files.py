"""The files of the tiny model's checkpoint, and what else stands in their folder."""

from __future__ import annotations

from pathlib import Path

MANIFEST = "checkpoint.json"
FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
)


class NotACheckpoint(ValueError):
    """The folder holds files that this builder never writes, so it will not replace it."""


def refuse_foreign(folder: Path) -> None:
    """Raises NotACheckpoint, or OSError, where ``ensure_tiny_moe`` would not build."""
    if not folder.exists():
        return
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
    foreign = sorted(names - {*FILES, MANIFEST})
    if foreign:
        raise NotACheckpoint(f"{folder} is no tiny-moe checkpoint: it holds {foreign[0]!r}")
