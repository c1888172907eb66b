"""How `baseload serve` gives a changed `user_config` to the process that has Serve: in one file.

The file holds what is to be applied, or what is wrong with a file that is not. Each replaces the
one before: only the last counts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml

from cluster.run.run_files import beside

NAME = "reload.yaml"

log = logging.getLogger("ray.serve")


@dataclass(frozen=True, slots=True)
class Handover:
    """``user_config`` is to be applied, or None where a file was refused for its ``errors``."""

    user_config: dict[str, Any] | None
    errors: list[str] = field(default_factory=list)


class Receiver(Protocol):
    """Who has Serve."""

    def apply(self, user_config: dict[str, Any]) -> None: ...

    def refuse(self, errors: list[str]) -> None:
        """Notes what is wrong. Without errors, an earlier refusal ends."""
        ...


def hand_over(config: Path, handover: Handover) -> None:
    """``config`` is the run's own file. Whoever follows sees all of it or nothing."""
    file = beside(config, NAME)
    draft = file.with_suffix(".new")
    content = {"user_config": handover.user_config, "errors": handover.errors}
    draft.write_text(yaml.safe_dump(content, sort_keys=False))
    draft.replace(file)


class Follower:
    """Gives what was handed over to the ``receiver``, once each."""

    def __init__(self, config: Path, receiver: Receiver) -> None:
        self._file = beside(config, NAME)
        self._receiver = receiver
        self._file.unlink(missing_ok=True)  # of a run before
        self._seen: tuple[int, int] | None = None

    def follow(self, wait: Callable[[], bool]) -> None:
        """Follows until ``wait`` says that it is over."""
        while not wait():
            try:
                self.look()
            except Exception:  # the boundary: the stack goes on with what it has
                log.exception("a changed configuration could not be handed to Serve")

    def look(self) -> None:
        try:
            status = self._file.stat()
        except FileNotFoundError:
            return
        if (seen := (status.st_mtime_ns, status.st_ino)) == self._seen:
            return
        self._seen = seen
        content = yaml.safe_load(self._file.read_text())
        self._receiver.refuse(content["errors"])
        if content["user_config"] is not None:
            self._receiver.apply(content["user_config"])
