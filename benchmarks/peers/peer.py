"""Another gateway: how it is installed and how it is started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.gateway_setting import Command, GatewaySetting


@dataclass(frozen=True, slots=True)
class Peer:
    """``command`` is given the Python of the peer's environment.

    ``newest`` are taken at their newest version whatever they ask for: a package index can lag
    behind a dependency by a day. ``on_ours`` builds on the packages that run this benchmark, so
    that the engine is the same. ``has_engines`` starts its own; a gateway of the others' kind
    stands in front of engines that are there.
    """

    name: str
    title: str
    package: str  # whose version is the peer's
    requirements: tuple[str, ...]
    command: Callable[[Path, GatewaySetting], Command]
    configured: str  # for a reader: what it was told, above all for the overload
    newest: tuple[str, ...] = ()
    on_ours: bool = False
    has_engines: bool = False
    gateway_titles: tuple[str, ...] = ()  # of the processes whose CPU counts; none: of all
