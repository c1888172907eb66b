"""A config file with one thing wrong in it, as a small edit of the local profile."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cluster.config_finding import Severity
from cluster.machine.ports import free_ports
from cluster.profile import LOCAL_PROFILE

ROOTS: dict[str, tuple[str | int, ...]] = {
    "app": ("applications", 0),
    "args": ("applications", 0, "args"),
    "pool": ("applications", 0, "args", "pools", 0),
    "scheduler": ("applications", 0, "deployments", 0),
    "user": ("applications", 0, "deployments", 0, "user_config"),
    "stand-in": ("applications", 0, "deployments", 0, "user_config", "providers", "stand-in"),
}
GONE = object()
HASH = "a" * 64


@dataclass(frozen=True)
class Wrong:
    """``at`` and ``says`` are of the finding that must be among the others.

    ``edit`` puts values at places such as ``pool.card``; the first part is a name of ROOTS or a
    key of the file. ``text`` then changes what is written. ``make`` makes files, and says where.
    """

    name: str
    at: str
    says: str
    edit: Mapping[str, Any] = field(default_factory=dict)
    text: Callable[[str], str | bytes] = lambda written: written
    make: Callable[[Path], Mapping[str, Any]] = lambda folder: {}
    severity: Severity = Severity.ERROR


def maybe(name: str, at: str, says: str, edit: Mapping[str, Any], **more: Any) -> Wrong:
    """A file that only looks wrong: it can be served, and is warned of."""
    return Wrong(name, at, says, edit, severity=Severity.WARNING, **more)


class Base:
    """The local profile on ports that are free."""

    def __init__(self) -> None:
        self.http, self.stand_in, self.metrics = free_ports(3)
        text = LOCAL_PROFILE.read_text()
        for old, new in ((8000, self.http), (8001, self.stand_in), (8002, self.metrics)):
            text = text.replace(str(old), str(new))
        self.document = yaml.safe_load(text)

    def write(self, wrong: Wrong, folder: Path) -> Path:
        document = copy.deepcopy(self.document)
        for place, value in {**wrong.edit, **wrong.make(folder)}.items():
            _put(document, place, self._ported(value))
        written = wrong.text(yaml.safe_dump(document, sort_keys=False))
        path = folder / "wrong.yaml"
        path.write_bytes(written if isinstance(written, bytes) else written.encode())
        return path

    def _ported(self, value: Any) -> Any:
        """Numbers of this profile's ports, where an edit names one of them."""
        known = {"HTTP": self.http, "STAND_IN": self.stand_in}
        if isinstance(value, str) and value.startswith("http://127.0.0.1:"):
            for name, port in known.items():
                value = value.replace(name, str(port))
        return known.get(value, value) if isinstance(value, str) else value


def _put(document: Any, place: str, value: Any) -> None:
    first, *rest = place.split(".")
    path = [*ROOTS.get(first, (first,)), *rest]
    for part in path[:-1]:
        document = document[part] if isinstance(part, int) else document.setdefault(part, {})
    if value is GONE:
        del document[path[-1]]
    else:
        document[path[-1]] = value
