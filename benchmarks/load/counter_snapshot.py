"""The counters of a run at one moment: between two of them lies what a window held."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from benchmarks.load.stream import Counters


@dataclass(frozen=True, slots=True)
class Edge:
    """``events`` and ``reads`` are those that have come since the run began."""

    at_s: float
    events: int
    reads: int
    client_cpu_s: float
    machine_cpu_s: float  # of all processes, on all cores
    cpu_s: dict[str, float]  # of the watched processes


def edge(at_s: float, counters: Counters, watched: Mapping[str, psutil.Process]) -> Edge:
    times = {name: process.cpu_times() for name, process in watched.items()}
    return Edge(
        at_s,
        counters.events,
        counters.reads,
        client_cpu_s=time.process_time(),
        machine_cpu_s=sum(psutil.cpu_times()[:3]),  # user, nice, system
        cpu_s={name: each.user + each.system for name, each in times.items()},
    )
