"""Who is alive: a process holds a lock on a file of its name for as long as it lives.

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

from runtime.errors import LedgerUnavailable

OWNER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # it becomes a file name


class Owners:
    """The folder of locks beside a ledger."""

    def __init__(self, ledger: Path) -> None:
        self.folder = ledger.with_name(f"{ledger.name}.owners")

    def lock(self, owner: str) -> Path:
        return self.folder / f"{owner}.lock"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time creates locks, removes them, or brings the ledger up."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        held = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
        finally:
            os.close(held)

    def claim(self, owner: str) -> int:
        """The held lock of a living owner, to be kept until ``release``. Needs ``alone``."""
        if not OWNER_NAME.fullmatch(owner):
            raise ValueError(f"an owner is named like {OWNER_NAME.pattern}, not {owner!r}")
        held = os.open(self.lock(owner), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
            raise LedgerUnavailable(f"another process is owner {owner!r}") from None
        return held

    def release(self, owner: str, held: int) -> None:
        self.lock(owner).unlink(missing_ok=True)
        os.close(held)

    def forget(self, owner: str) -> None:
        """Remove the lock of a dead owner."""
        with self.alone():
            if OWNER_NAME.fullmatch(owner) and not self.alive(owner):
                self.lock(owner).unlink(missing_ok=True)

    def alive(self, owner: str) -> bool:
        """Whether somebody holds the lock. Looks without leaving a trace."""
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
