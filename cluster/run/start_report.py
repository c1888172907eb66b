"""What the parts of a run say of their own start, for `baseload serve`, which waits for them.

Each process keeps one small file up to date, in the folder of its run in the state folder. Under
`serve run` nobody reads them, and nothing is written: there the status of a deployment says it.
"""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cluster.state_folder import state_folder
from runtime.run_mark import run_id
from runtime.start_failed import StartFailed

FOLDER = "starts"


class Phase(StrEnum):
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


class StartReport(BaseModel):
    """The report of one process. ``part`` is who it is, in words that begin a sentence."""

    model_config = ConfigDict(frozen=True)

    part: str
    pid: int = Field(default_factory=os.getpid)
    host: str = Field(default_factory=socket.gethostname)
    phase: Phase = Phase.STARTING
    notes: tuple[str, ...] = ()  # lines that a person should see once
    failure: str = ""  # one line
    log_path: str | None = None
    log_tail: tuple[str, ...] = ()

    def died_silently(self) -> bool:
        """Whether its process is gone and has not said why; only its own host can know."""
        if self.phase is Phase.FAILED or self.host != socket.gethostname():
            return False
        try:
            return bool(psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True


class Reporter:
    """Keeps the report of this process. A disk that is full must not hide another fault, so what
    cannot be written is not."""

    def __init__(self, part: str, log_path: Path | None = None) -> None:
        self._report = StartReport(part=part, log_path=str(log_path) if log_path else None)
        mark = run_id()
        self._folder = None if mark is None else folder(state_folder(), mark)
        self._write()

    def note(self, line: str) -> None:
        self._update(notes=(*self._report.notes, line))

    def ready(self) -> None:
        self._update(phase=Phase.READY)

    def failed(self, error: StartFailed) -> None:
        log_path = error.log_path or self._report.log_path
        self._update(
            phase=Phase.FAILED,
            failure=error.message,
            log_path=log_path,
            log_tail=error.log_tail,
        )

    def _update(self, **changed: object) -> None:
        self._report = self._report.model_copy(update=changed)
        self._write()

    def _write(self) -> None:
        if self._folder is None:
            return
        new = self._folder / f"{self._report.pid}.new"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            new.write_text(self._report.model_dump_json())
            new.replace(new.with_suffix(".json"))
        except OSError:
            return


def folder(state: Path, run: str) -> Path:
    return state / FOLDER / run


def read(path: Path) -> list[StartReport]:
    """The reports in a folder; none while there is no folder."""
    found = []
    for file in sorted(path.glob("*.json")):
        try:
            found.append(StartReport.model_validate_json(file.read_text()))
        except (OSError, ValidationError):  # gone meanwhile, or not ours
            continue
    return found


def forget(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):  # another run has reports there, or nobody ever had
        path.parent.rmdir()
