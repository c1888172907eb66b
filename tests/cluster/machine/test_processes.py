"""Processes of a run, found by their mark and ended without survivors."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from cluster.machine import processes
from runtime.run_mark import RUN_ENV

SLEEP = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP
# Starts a process of its own session and ends: what is left has no parent of ours.
ORPHAN = (
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]],"
    " start_new_session=True)"
)


@pytest.fixture
def run_id() -> str:
    return secrets.token_hex(8)


@contextmanager
def _child(run_id: str, code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {RUN_ENV: run_id}
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        try:
            yield child
        finally:
            child.kill()


def test_a_child_is_found_by_its_mark(run_id: str) -> None:
    with _child(run_id, SLEEP) as child:
        assert [process.pid for process in processes.of_run(run_id)] == [child.pid]
        found = processes.named(run_id, psutil.Process(child.pid).name())
        assert found is not None
        assert found.pid == child.pid
        assert processes.named(run_id, "raylet") is None
        assert processes.of_run(run_id[:-1]) == []
        assert processes.of_run("") == []


def test_an_orphan_is_found_and_ended(run_id: str) -> None:
    with _child(run_id, ORPHAN, STUBBORN) as parent:
        parent.wait(5)
        (orphan,) = processes.of_run(run_id)
        assert orphan.pid != parent.pid
        assert processes.end(run_id, grace_s=0.1) == 1
        assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
        assert processes.of_run(run_id) == []


def test_who_ends_in_time_is_not_killed(run_id: str) -> None:
    with _child(run_id, "import time; print(); time.sleep(0.3)") as child:
        begun_s = time.monotonic()
        assert processes.end(run_id, grace_s=10) == 0
        assert time.monotonic() - begun_s < 5
        assert child.wait(1) == 0


def test_other_runs_are_left_alone(run_id: str) -> None:
    with _child(run_id, SLEEP) as child:
        assert processes.end(secrets.token_hex(8), grace_s=0) == 0
        assert child.poll() is None
        child.send_signal(signal.SIGKILL)


def test_this_process_is_never_among_them(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_environment", lambda pid: f"BASELOAD_RUN={run_id}".encode())
    assert os.getpid() not in [process.pid for process in processes.of_run(run_id)]
