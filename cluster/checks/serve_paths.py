"""What the options of Serve name on this machine: folders that it writes to, and code."""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from cluster.config_finding import APPLICATION, SCHEDULER, ConfigFinding, at_path, error, warning
from runtime.config_problems import Path, given

PATHS_OF_LOGS: tuple[Path, ...] = tuple(
    (*at, "logging_config", "logs_dir") for at in ((), APPLICATION, SCHEDULER)
)
PYTHON_PATH: Path = (*APPLICATION, "runtime_env", "env_vars", "PYTHONPATH")
EXPORTER: Path = ("tracing_config", "exporter_import_path")


def here_findings(document: Any) -> Iterator[ConfigFinding]:
    for path in PATHS_OF_LOGS:
        folder = at_path(document, path)
        why = why_unwritable(FilePath(folder)) if isinstance(folder, str) and folder else None
        if why is not None:
            wrong = f"{given(folder)} cannot be written to ({why}): Serve would not start"
            yield error(path, wrong, "a folder that can, or leave it out", given(folder))
    yield from _python_path(at_path(document, PYTHON_PATH))
    exporter = at_path(document, EXPORTER)
    if isinstance(exporter, str) and exporter and (why := _why_not_imported(exporter)):
        yield error(EXPORTER, f"{given(exporter)} cannot be imported here: {why}")


def why_unwritable(folder: FilePath) -> str | None:
    """The reason why no files can be made in it, nor in the first folder above it that is there;
    None where they can. Of what is tried nothing is left."""
    try:
        there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
        with tempfile.TemporaryDirectory(prefix=".baseload-check-", dir=there):
            return None
    except OSError as refused:
        return str(refused.strerror)


def _python_path(told: Any) -> Iterator[ConfigFinding]:
    """Python skips a folder that is not there, so what was meant to be found is not."""
    for each in told.split(os.pathsep) if isinstance(told, str) else ():
        if each and not os.path.exists(each):
            yield warning(PYTHON_PATH, f"{each} does not exist here, and adds nothing", "", each)


def _why_not_imported(path: str) -> str | None:
    """``path`` is `package.module:name`, or the same with a dot."""
    module, _, name = path.replace(":", ".").rpartition(".")
    try:
        getattr(importlib.import_module(module), name)
    except Exception as error:  # noqa: BLE001 -- foreign code may raise anything as it is imported
        return " ".join(str(error).split())[:200] or type(error).__name__
    return None
