"""What a gateway is told before it starts, and the command that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.rig.common import Target


@dataclass(frozen=True, slots=True)
class Overload:
    """What a gateway is told for a load beyond what the engines can do. Who cannot buy is told the
    rest."""

    provider: Target
    running_max: int  # requests that all engines together run at once
    capacity_per_s: float  # requests that they end
    budget_s: float  # to the first token

    @property
    def queue_s_max(self) -> int:
        """A whole number of seconds in a queue that leaves some of the budget for the engine."""
        return max(1, int(self.budget_s) - 1)

    @property
    def queue_max(self) -> int:
        """Requests that can wait with a hope of being in time."""
        return max(1, int(self.capacity_per_s * self.queue_s_max))


@dataclass(frozen=True, slots=True)
class GatewaySetting:
    """``engines`` are what stands behind the gateway, scripted or real."""

    engines: tuple[Target, ...]
    port: int
    metrics_port: int
    folder: Path  # for its files, and its log
    overload: Overload | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """``key`` is what callers of the gateway must show, where it asks for one."""

    argv: tuple[str, ...]
    key: str = field(default="unused", repr=False)
    env: Mapping[str, str] = field(default_factory=dict)
    ready_path: str = "/v1/models"
