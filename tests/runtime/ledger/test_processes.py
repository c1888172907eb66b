"""Several processes on one ledger, and disks that fail."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.ledger.audit import audit
from runtime.ledger.open_store import open_store
from runtime.ledger.usage_report import requests
from tests.runtime.ledger.samples import opened

ROOT = Path(__file__).parents[3]


def worker(what: str, url: str, owner: str, argument: int) -> list[str]:
    module = "tests.runtime.ledger.workers"
    return [sys.executable, "-m", module, what, url, owner, str(argument)]


def run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


NEEDS_STRACE = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def traced(trace: Path, options: list[str], url: str, what: str, argument: int) -> None:
    """Its system calls, as they were when it told of them; -s for the whole of a line."""
    watch = ["strace", "-f", "-y", "-s", "200", "-o", str(trace), *options]
    watched = subprocess.run(
        [*watch, *worker(what, url, "boot-1", argument)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "PTRACE" in watched.stderr or "ptrace" in watched.stderr:
        pytest.skip("this machine does not permit tracing")
    assert watched.returncode == 0, watched.stderr


def test_two_processes_write_one_ledger(url: str) -> None:
    commands = [worker("work", url, owner, 200) for owner in ("boot-1", "boot-2")]
    running = [subprocess.Popen(c, cwd=ROOT, stdout=subprocess.PIPE, text=True) for c in commands]
    told = [process.communicate(timeout=60)[0].splitlines() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    found = audit(url)
    assert found.problems == []
    assert found.rows == sum(len(lines) for lines in told)
    costs = [int(line.split()[2]) for lines in told for line in lines if "settle" in line]
    assert found.total_nano_usd == sum(costs)
    with opened(url, "boot-3") as ledger:
        assert ledger.sweep() == found.open_reserves_dead == found.open_reserves


def test_a_disk_that_fills_up_stops_admission(url: str) -> None:
    *told, last = run(worker("full_disk", url, "boot-1", 300_000)).splitlines()
    assert re.fullmatch(
        rf"refused False ledger {re.escape(open_store(url).name)}: [^\n]+; [^\n]+", last
    )
    reserved = {line.split()[1] for line in told if line.startswith("reserve")}
    assert reserved
    assert reserved <= {request.request_id for request in requests(url)}
    assert audit(url).ok
    with opened(url, "boot-2") as ledger:  # room again: whatever was open is ended
        ledger.sweep()
    assert audit(url).open_reserves == 0


def test_no_room_for_a_ledger_is_one_clear_line(url: str) -> None:
    assert re.fullmatch(
        rf"ledger {re.escape(open_store(url).name)}: [^\n]+; [^\n]+\n",
        run(worker("no_disk", url, "boot-1", 4096)),
    )


@NEEDS_STRACE
def test_the_flush_precedes_every_acknowledgement(url: str, tmp_path: Path) -> None:
    """kill -9 cannot show this: what was written survives it, flushed or not."""
    trace = tmp_path / "trace"
    traced(trace, ["-e", "trace=write,pwrite64,fdatasync,fsync"], url, "work_alone", 20)
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


@NEEDS_STRACE
def test_a_flush_that_fails_is_acknowledged_to_nobody(url: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    inject = ["-e", "inject=fdatasync,fsync:error=EIO:when=20+"]
    traced(trace, ["-e", "trace=fdatasync,fsync,write", *inject], url, "failing_disk", 10**6)
    before, _, after = trace.read_text().partition("(INJECTED)")
    assert "write(1<" in before
    acknowledged = re.findall(r'write\(1<.*"(reserve|settle|void|refused) ', after)
    assert acknowledged == ["refused"]
    assert re.search(r'"refused False ledger [^"]*: the disk failed a read, write or flush', after)
    with opened(url, "boot-2") as ledger:  # the disk is well again
        ledger.sweep()
    found = audit(url)
    assert (found.ok, found.open_reserves) == (True, 0)
