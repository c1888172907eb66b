"""Memory, cores and disk: what is too little, and what is too busy."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.machine.host import Host, this_host
from cluster.run.doctor_host import cores_check, disk_check, free_bytes, memory_check
from cluster.run.doctor_verdict import DoctorVerdict

GIB = 1 << 30


@pytest.mark.parametrize(
    ("total_gib", "available_gib", "verdict"),
    [
        (24, 20, DoctorVerdict.OK),
        (7.5, 6, DoctorVerdict.OK),  # sold as 8 GB
        (4, 3.9, DoctorVerdict.WARNING),
        (24, 1, DoctorVerdict.WARNING),
    ],
)
def test_memory(total_gib: float, available_gib: float, verdict: DoctorVerdict) -> None:
    check = memory_check(Host(int(total_gib * GIB), int(available_gib * GIB), 2, 0))
    assert check.verdict is verdict
    assert bool(check.advice) is (verdict is not DoctorVerdict.OK)


@pytest.mark.parametrize(
    ("cores", "load", "verdict"),
    [(2, 0.5, DoctorVerdict.OK), (2, 8.0, DoctorVerdict.OK), (2, 8.2, DoctorVerdict.WARNING),
     (64, 100, DoctorVerdict.OK), (1, 0.1, DoctorVerdict.WARNING)],
)  # fmt: skip
def test_cores(cores: int, load: float, verdict: DoctorVerdict) -> None:
    check = cores_check(Host(24 * GIB, 20 * GIB, cores, load))
    assert check.verdict is verdict
    assert f"load {load:.1f}" in check.found
    assert bool(check.advice) is (verdict is not DoctorVerdict.OK)


@pytest.mark.parametrize(
    ("free", "verdict"),
    [
        (1 << 40, DoctorVerdict.OK),
        (1 << 30, DoctorVerdict.WARNING),
        (1 << 20, DoctorVerdict.PROBLEM),
    ],
)
def test_the_disk(free: int, verdict: DoctorVerdict) -> None:
    assert disk_check(Path("/state"), free).verdict is verdict


def test_this_machine_has_some_of_each(tmp_path: Path) -> None:
    host = this_host()
    assert 0 < host.available_bytes <= host.memory_bytes
    assert host.cores >= 1
    assert host.load >= 0
    assert free_bytes(tmp_path / "not" / "there") > 0
