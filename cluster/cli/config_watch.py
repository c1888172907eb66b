"""The config file of a run that goes on: what a change of it comes to.

What stands under `user_config` is applied, all or nothing; the rest of the file holds from the next
start on, and a change of it is said. A file is read once it has not changed for one look: editors
write in parts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cluster.checks.offers_and_limits import loop_findings, offer_findings
from cluster.checks.serve_keys import serve_findings
from cluster.config_finding import ROUTING, ConfigFinding, at_path
from cluster.profile import Profile, read_parts
from models.yaml_file import BadYaml, read_yaml
from runtime.config_problems import where
from runtime.errors import ConfigError

# Of `user_config`, what is looked at as the Scheduler starts, and then no more.
START_ONLY = (("telemetry", "metrics_host"), ("telemetry", "metrics_port"))

Keys = tuple[str | int, ...]
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Change:
    """``profile`` is what the file holds now; None where it is refused for its ``errors``. It
    ``is_new`` where its `user_config` is another than the one before, or that was refused.
    ``restart`` names what else has changed since the start."""

    profile: Profile | None
    errors: tuple[str, ...] = ()
    is_new: bool = False
    restart: tuple[str, ...] = ()

    @property
    def user_config(self) -> Any:
        return None if self.profile is None else at_path(self.profile.document, ROUTING)


class ConfigWatch:
    """``started`` is the file as it was started with, after ``move``."""

    def __init__(self, started: Profile, move: Callable[[Profile], Profile]) -> None:
        self._path = started.path
        self._started = started.document
        self._applied = at_path(started.document, ROUTING)
        self._move = move
        self._told_restart: tuple[str, ...] = ()
        self._was_refused = False
        self._last: object = None
        self._read: object = None

    def look(self) -> Change | None:
        """What has changed since the last look; None where nothing has that matters."""
        mark = _mark(self._path)
        is_settled, self._last = mark == self._last, mark
        if not is_settled or mark == self._read:
            return None
        self._read = mark
        change = self._change()
        if change.profile is None:
            self._was_refused = True
            return change
        matters = change.is_new or change.restart != self._told_restart
        self._applied, self._was_refused = change.user_config, False
        self._told_restart = change.restart
        return change if matters else None

    def _change(self) -> Change:
        try:
            file = read_yaml(self._path)
        except BadYaml as error:
            return Change(None, tuple(f"{self._path} {each}" for each in error.problems))
        try:
            profile, findings = self._examined(file.content)
        except ConfigError as error:
            return Change(None, (error.message,))
        errors = tuple(
            str(replace(each, line=file.line(each.problem.path)))
            for each in findings
            if each.is_error
        )
        if errors or profile is None:
            return Change(None, errors)
        differs = at_path(profile.document, ROUTING) != self._applied
        restart = tuple(self._needs_restart(profile.document))
        return Change(profile, (), differs or self._was_refused, restart)

    def _examined(self, document: Any) -> tuple[Profile | None, list[ConfigFinding]]:
        """What `baseload check` finds without a look at the machine, which the run itself uses."""
        parts = read_parts(document)
        profile, findings = parts.profile(self._path), list(parts.findings)
        told = {each.problem.path for each in findings}
        findings += [each for each in serve_findings(document) if each.problem.path not in told]
        if profile is not None:
            profile = self._move(profile)
            findings += loop_findings(profile)
            findings += offer_findings(profile.routing, profile.args, (), None)
        return profile, findings

    def _needs_restart(self, document: dict[str, Any]) -> Iterator[str]:
        for path in _differences(self._started, document):
            if path[: len(ROUTING)] != ROUTING:
                yield where(path)
        for path in START_ONLY:
            at = (*ROUTING, *path)
            if at_path(self._started, at) != at_path(document, at):
                yield where(at)


def _mark(path: Path) -> object:
    """Another one, where the file may have changed; an editor's file may be gone for a moment."""
    try:
        status = os.stat(path)
    except OSError as error:
        return error.errno
    return status.st_mtime_ns, status.st_size, status.st_ino


def _differences(before: Any, after: Any, path: Keys = ()) -> Iterator[Keys]:
    """The innermost places at which two documents differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            inner = (before.get(key, _ABSENT), after.get(key, _ABSENT))
            yield from _differences(*inner, (*path, key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, pair in enumerate(zip(before, after, strict=True)):
            yield from _differences(*pair, (*path, number))
    elif before != after:
        yield path
