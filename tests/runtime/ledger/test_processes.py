"""Several processes on one ledger, and disks that fail."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.ledger.audit import audit
from runtime.ledger.report import requests
from tests.runtime.ledger.samples import opened

ROOT = Path(__file__).parents[3]


def worker(what: str, path: Path, owner: str, argument: int) -> list[str]:
    module = "tests.runtime.ledger.workers"
    return [sys.executable, "-m", module, what, str(path), owner, str(argument)]


def run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_processes_write_one_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    commands = [worker("work", path, owner, 200) for owner in ("boot-1", "boot-2")]
    running = [subprocess.Popen(c, cwd=ROOT, stdout=subprocess.PIPE, text=True) for c in commands]
    told = [process.communicate(timeout=60)[0].splitlines() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    found = audit(path)
    assert found.problems == []
    assert found.rows == sum(len(lines) for lines in told)
    costs = [int(line.split()[2]) for lines in told for line in lines if "settle" in line]
    assert found.total_nano_usd == sum(costs)
    with opened(path, "boot-3") as ledger:
        assert ledger.sweep() == found.open_reserves_dead == found.open_reserves


def test_a_disk_that_fills_up_stops_admission(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    *told, last = run(worker("full_disk", path, "boot-1", 300_000)).splitlines()
    assert re.fullmatch(rf"refused False ledger {re.escape(str(path))}: [^\n]+; [^\n]+", last)
    reserved = {line.split()[1] for line in told if line.startswith("reserve")}
    assert reserved
    assert reserved <= {request.request_id for request in requests(path)}
    assert audit(path).ok
    with opened(path, "boot-2") as ledger:  # room again: whatever was open is ended
        ledger.sweep()
    assert audit(path).open_reserves == 0


def test_no_room_for_a_ledger_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    assert re.fullmatch(
        rf"ledger {re.escape(str(path))}: [^\n]+; [^\n]+\n",
        run(worker("no_disk", path, "boot-1", 4096)),
    )


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_flush_precedes_every_acknowledgement(tmp_path: Path) -> None:
    """kill -9 cannot show this: what was written survives it, flushed or not."""
    trace = tmp_path / "trace"
    watch = ["strace", "-f", "-y", "-o", str(trace), "-e", "trace=write,pwrite64,fdatasync,fsync"]
    watched = subprocess.run(
        [*watch, *worker("work_alone", tmp_path / "ledger.db", "boot-1", 20)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "PTRACE" in watched.stderr or "ptrace" in watched.stderr:
        pytest.skip("this machine does not permit tracing")
    assert watched.returncode == 0, watched.stderr
    unflushed, acknowledged = False, 0
    for line in trace.read_text().splitlines():
        if "pwrite64" in line and "ledger.db-wal" in line:
            unflushed = True
        elif re.search(r"(fsync|fdatasync).*= 0$", line):
            unflushed = False
        elif "write(1<" in line and re.search(r'"(reserve|settle|void) ', line):
            acknowledged += 1
            assert not unflushed, line
    assert acknowledged >= 20
