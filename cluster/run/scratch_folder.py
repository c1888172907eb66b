"""The folder of a run outside its state: for sockets, whose paths must be short.

It is its own user's alone, since whoever reaches HAProxy's socket in it commands HAProxy. A run
that is killed leaves it behind; the next start takes it away.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from cluster.machine import processes

ROOT = Path("/tmp")  # noqa: S108 -- a socket path has 107 bytes, and Ray adds 70
PREFIX = "bl-"
ID_CHARS = 8  # of a run's id
AGE_S_MIN = 10.0  # a younger one may be about to be held


@dataclass(frozen=True)
class Scratch:
    """Held until ``remove``, or the end of this process: a lock tells so in any container."""

    path: Path
    _lock: int

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def folder(run_id: str) -> Path:
    return ROOT / f"{PREFIX}{run_id[:ID_CHARS]}"


def make(run_id: str) -> Scratch:
    """OSError where it exists: then it is somebody else's."""
    path = folder(run_id)
    path.mkdir(mode=0o700)
    return Scratch(path, _lock(path))


def sweep() -> None:
    """Takes away what runs of this user have left that are gone, with all their processes."""
    live = {run_id[:ID_CHARS] for run_id in processes.runs()}
    for path in ROOT.glob(f"{PREFIX}{'[0-9a-f]' * ID_CHARS}"):
        if path.name.removeprefix(PREFIX) in live or not _is_old_and_own(path):
            continue
        try:
            lock = _lock(path)
        except OSError:  # held, or gone
            continue
        Scratch(path, lock).remove()


def _is_old_and_own(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return is_own and time.time() - found.st_mtime >= AGE_S_MIN


def _lock(path: Path) -> int:
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock
