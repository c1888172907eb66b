"""The pools of a simulated run: each has a model, and engines that serve it."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.simulation.profile import Profile

MODEL = "simulated"  # of a run with one pool


@dataclass(frozen=True, slots=True)
class SimPool:
    model: str
    profile: Profile
    replicas: int


@dataclass(frozen=True, slots=True)
class PoolChoice:
    """A pool as it is asked for: what is None is that of the experiment."""

    model: str
    replicas: int | None = None
    profile: str | None = None  # a name or a path
