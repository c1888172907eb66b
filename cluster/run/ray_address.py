"""Where the Ray of this state folder answers, found without Ray: its client waits for minutes for
one that is gone, and takes a second to import."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from cluster.state_folder import ADDRESS_FILE, STATE_ENV
from runtime.errors import ConfigError

RAY_ADDRESS_ENV = "RAY_ADDRESS"  # Ray's own, where an operator names a cluster
RAY_CURRENT = Path("/tmp/ray/ray_current_cluster")  # noqa: S108 -- where `ray start` writes it
TOKEN_FILE = "ray-token"  # noqa: S105 -- where it lies
ANSWER_S_MAX = 0.5


class NothingRuns(ConfigError):
    """No Ray answers where one was looked for."""


def stack_address(state: Path) -> str:
    """The address of the stack with this state folder, or of the one that the environment names."""
    return _first(_told(state), f"no stack runs with this state folder ({state})")


def cluster_address(state: Path) -> str:
    """The same, or that of any Ray that was started on this machine."""
    here = [RAY_CURRENT] if RAY_CURRENT.is_file() else []
    candidates = [*_told(state), *(_read(path) for path in here)]
    return _first(iter(candidates), "no Ray runs on this machine")


def existing_token(state: Path) -> dict[str, str]:
    """What opens the Ray of this state folder; nothing where none was ever started."""
    path = state / TOKEN_FILE
    if not path.is_file():
        return {}
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path)}


def _told(state: Path) -> Iterator[str]:
    if given := os.environ.get(RAY_ADDRESS_ENV):
        yield given
    for path in sorted(state.glob(f"{ADDRESS_FILE}*")):  # a second run has its port in the name
        yield _read(path)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:  # gone meanwhile
        return ""


def _first(addresses: Iterator[str], wrong: str) -> str:
    for address in addresses:
        if _answers(address):
            return address
    raise NothingRuns(f"{wrong}: start one with `baseload serve`, or set {STATE_ENV} to its folder")


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return False
    try:
        with socket.create_connection((host, int(port)), ANSWER_S_MAX):
            return True
    except (OSError, OverflowError):
        return False
