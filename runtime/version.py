"""The version that is installed here."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("baseload")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "unknown"


VERSION = _installed()
