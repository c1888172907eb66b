"""Whether a machine has the memory, the cores and the disk for a stack, and is not too busy."""

from __future__ import annotations

from pathlib import Path

import psutil

from cluster.machine.host import Host
from cluster.run import supervisor
from cluster.run.doctor_verdict import Check, DoctorVerdict

GIB = 1 << 30
MEMORY_BYTES_ADVISED = 8 * 10**9  # as the README asks for
AVAILABLE_BYTES_ADVISED = 4 * GIB  # for Ray, the Scheduler and three small engines
MEMORY_SLACK = 0.95  # the kernel keeps some of what is built in
CORES_ADVISED = 2
LOAD_PER_CORE_MAX = 4.0  # beyond it, the parts of a start wait for a core more than they run
DISK_BYTES_ADVISED = 2 * GIB  # logs and Ray's spill, beyond what the ledger needs


def memory_check(host: Host) -> Check:
    found = f"{host.available_bytes / GIB:.1f} of {host.memory_bytes / GIB:.1f} GiB are available"
    if host.memory_bytes < MEMORY_BYTES_ADVISED * MEMORY_SLACK:
        advice = "8 GB are asked for: with less, the kernel may end engines as they load"
        return Check("memory", DoctorVerdict.WARNING, found, advice)
    if host.available_bytes < AVAILABLE_BYTES_ADVISED:
        advice = "the kernel may end engines as they load: end what holds it (`ps aux --sort -rss`)"
        return Check("memory", DoctorVerdict.WARNING, found, advice)
    return Check("memory", DoctorVerdict.OK, found)


def cores_check(host: Host) -> Check:
    plural = "" if host.cores == 1 else "s"
    found = f"{host.cores} core{plural}, load {host.load:.1f} in the last minute"
    if host.load_per_core > LOAD_PER_CORE_MAX:
        advice = "a start is slow, and Ray may give up on it: wait, or end what runs (`top`)"
        return Check("cores", DoctorVerdict.WARNING, found, advice)
    if host.cores < CORES_ADVISED:
        advice = f"{CORES_ADVISED} are asked for: with fewer, a start is slow"
        return Check("cores", DoctorVerdict.WARNING, found, advice)
    return Check("cores", DoctorVerdict.OK, found)


def disk_check(state: Path, free_bytes: int) -> Check:
    found = f"{free_bytes / GIB:.1f} GiB free at {state}"
    if free_bytes < supervisor.FREE_DISK_BYTES_MIN:
        return Check(
            "disk", DoctorVerdict.PROBLEM, found, "the ledger cannot start: free some space"
        )
    if free_bytes < DISK_BYTES_ADVISED:
        return Check(
            "disk", DoctorVerdict.WARNING, found, "logs and Ray may fill it: free some space"
        )
    return Check("disk", DoctorVerdict.OK, found)


def free_bytes(state: Path) -> int:
    """The bytes that are free on the disk that the state folder is on, or will be."""
    there = next(path for path in (state, *state.absolute().parents) if path.exists())
    return int(psutil.disk_usage(str(there)).free)
