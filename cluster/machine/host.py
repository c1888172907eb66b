"""The memory and the cores that this process may use, and how busy they are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psutil

CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


@dataclass(frozen=True, slots=True)
class Host:
    """``load`` is the number of processes that ran or wanted to, in the last minute's mean."""

    memory_bytes: int
    available_bytes: int
    cores: int
    load: float

    @property
    def load_per_core(self) -> float:
        return self.load / self.cores


def this_host() -> Host:
    memory = psutil.virtual_memory()
    total = min([memory.total, *_limits()])
    return Host(
        memory_bytes=total,
        available_bytes=min(memory.available, total),
        cores=len(os.sched_getaffinity(0)),
        load=os.getloadavg()[0],
    )


def _limits() -> list[int]:
    """Of a container; none where it has none."""
    found = []
    for path in CGROUP_LIMITS:
        try:
            found.append(int(path.read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return found
