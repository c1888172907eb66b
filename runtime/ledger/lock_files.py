"""The liveness of owners on one host: a process holds a lock on a file of its name while it lives.

The kernel lets go of the lock when the process ends, however it ends; a clock or a process id
could be wrong about that. One host only: a lock on a network file system proves nothing.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from runtime.errors import LedgerUnavailable

OWNER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # it becomes a file name


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """One process at a time is in here: it creates or removes locks, or brings the ledger up."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


class LockFiles:
    """This ``Liveness`` is the folder of locks beside a ledger."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lock(self, owner: str) -> Path:
        return self.folder / f"{owner}.lock"

    def claim(self, owner: str) -> HeldLock:
        if not OWNER_NAME.fullmatch(owner):
            raise ValueError(f"an owner is named like {OWNER_NAME.pattern}, not {owner!r}")
        return HeldLock(self, owner)

    def is_alive(self, owner: str) -> bool:
        if not OWNER_NAME.fullmatch(owner):
            return False  # never one of ours
        try:
            looked = os.open(self.lock(owner), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(looked, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(looked)
        return False

    def forget(self, owner: str) -> None:
        with one_at_a_time(self.folder):
            if OWNER_NAME.fullmatch(owner) and not self.is_alive(owner):
                self.lock(owner).unlink(missing_ok=True)


class HeldLock:
    """This ``Claim`` is the open file on which the lock is."""

    def __init__(self, files: LockFiles, owner: str) -> None:
        self._files = files
        self._owner = owner
        self._alone = Lock()  # a sweep may be renewing while its ledger is closed
        self._held: int | None = self._take()  # None once it has ended

    def renew(self) -> None:
        """The kernel keeps a lock without being reminded. But others look for it by its name, and
        somebody may have cleared the folder: then it is made again."""
        with self._alone:
            if self._held is None or self._is_at_its_name(self._held):
                return
            lost, self._held = self._held, self._take()
            os.close(lost)

    def end(self) -> None:
        with self._alone:
            if self._held is None:
                return
            held, self._held = self._held, None
            if self._is_at_its_name(held):
                self._files.lock(self._owner).unlink()
            os.close(held)

    def _take(self) -> int:
        path = self._files.lock(self._owner)
        with one_at_a_time(self._files.folder):
            held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(held)
                raise LedgerUnavailable(f"another process is owner {self._owner!r}") from None
        return held

    def _is_at_its_name(self, held: int) -> bool:
        try:
            found = self._files.lock(self._owner).stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(held))
