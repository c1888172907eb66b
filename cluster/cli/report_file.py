"""The files that a command was asked to write: refused before the work, written after it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from benchmarks.rig.provenance import provenance
from runtime.errors import ConfigError


def check_writable(path: Path | None, option: str = "--report") -> None:
    if path is None:
        return
    if path.is_dir():
        raise ConfigError(f"{option} {path}: is a folder; give the path of a file in it")
    if not path.parent.is_dir():
        raise ConfigError(f"{option} {path}: make the folder {path.parent} first")


def write_report(path: Path, text: str, option: str = "--report") -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{option} {path}: cannot be written ({error.strerror})") from error


def origin() -> dict[str, str]:
    """Where a page comes from, as it tells it."""
    found = provenance()
    machine = cast(dict[str, object], found["machine"])
    versions = cast(dict[str, str], found["versions"])
    return {
        "date": str(found["date"]),
        "baseload": versions.get("baseload", "not installed"),
        "python": versions["python"],
        "machine": f"{machine['cpu']}, {machine['cores']} cores",
    }
