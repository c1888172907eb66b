"""The files of one run in the state folder: its configuration, its log, and who holds the names."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

STEM = "serve"


@dataclass(frozen=True)
class RunFiles:
    """The files of a run that holds its names until ``close``, or the end of its process."""

    config: Path
    log: Path
    _lock: int | None

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)


def run_files(state: Path, port: int) -> RunFiles:
    """`serve.yaml` and `serve.log`; a second run on the same folder has its port in the names."""
    lock = os.open(state / f"{STEM}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return RunFiles(state / f"{STEM}-{port}.yaml", state / f"{STEM}-{port}.log", None)
    return RunFiles(state / f"{STEM}.yaml", state / f"{STEM}.log", lock)


def beside(config: Path, name: str) -> Path:
    """A further file of the run with this configuration: ``name``, or ``name`` and the port."""
    return config.with_name(name + config.stem.removeprefix(STEM))
