"""One thing that is wrong with a config file, or only looks so, and the places where it can be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from runtime.config_problems import Path, Problem, one_line
from runtime.errors import ConfigError

EXAMPLE = "cluster/local.yaml is an example"

APPLICATION: Path = ("applications", 0)
ARGS: Path = (*APPLICATION, "args")
SCHEDULER: Path = (*APPLICATION, "deployments", 0)
ROUTING: Path = (*SCHEDULER, "user_config")
HTTP: Path = ("http_options",)


class Severity(StrEnum):
    """An error keeps the endpoint from starting, or from being what the file says."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class ConfigFinding:
    """``line`` is that of the file; None where nothing of it stands there. ``option`` is that of
    the command line which said it instead of the file."""

    severity: Severity
    problem: Problem
    line: int | None = None
    option: str | None = None

    def __str__(self) -> str:
        return str(self.problem) + (f" (line {self.line})" if self.line is not None else "")

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR


@dataclass(frozen=True, slots=True)
class Unchecked:
    """What could not be looked at from here, and why."""

    what: str
    why: str


def error(path: Path, wrong: str, instead: str = "", value: str | None = None) -> ConfigFinding:
    return ConfigFinding(Severity.ERROR, Problem(path, wrong, instead, value))


def warning(path: Path, wrong: str, instead: str = "", value: str | None = None) -> ConfigFinding:
    return ConfigFinding(Severity.WARNING, Problem(path, wrong, instead, value))


def errors_at(path: Path, problems: Iterable[Problem]) -> list[ConfigFinding]:
    """Problems of a part of the file, as errors of the whole."""
    return [
        ConfigFinding(Severity.ERROR, replace(each, path=(*path, *each.path))) for each in problems
    ]


def refuse_errors(findings: Iterable[ConfigFinding]) -> None:
    """Raises ConfigError with every error among them, in one line."""
    errors = [each for each in findings if each.is_error]
    if errors:
        raise ConfigError(one_line(errors))


def at_path(document: Any, path: Path) -> Any:
    """What stands there; None where nothing does."""
    for part in path:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return None
    return document
