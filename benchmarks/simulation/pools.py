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
