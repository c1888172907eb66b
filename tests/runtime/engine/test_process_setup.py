"""The kernel kills an engine process when its parent dies, however it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CHILD = """
import os, sys, time, signal
from runtime.engine.process_setup import die_with_parent
signal.signal(signal.SIGTERM, signal.SIG_IGN)
die_with_parent(os.getppid())
print(os.getpid(), flush=True)
time.sleep(60)
"""
PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", sys.argv[1]])
time.sleep(60)
"""
ENGINE = """
import multiprocessing, os, sys, time
from runtime.engine.process_setup import install

def work():
    install()
    print(os.getpid(), flush=True)
    time.sleep(60)

if __name__ == "__main__":
    multiprocessing.get_context("fork").Process(target=work).start()
"""


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def _wait_gone(pid: int, patience_s: float = 5.0) -> bool:
    deadline_s = time.monotonic() + patience_s
    while time.monotonic() < deadline_s:
        if _gone(pid):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_child_dies_with_its_parent(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not _gone(child)
        parent.send_signal(number)
        parent.wait()
        assert _wait_gone(child)


@pytest.mark.parametrize("ours", [True, False])
def test_the_plugin_ties_only_processes_of_our_replicas(ours: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "BASELOAD_LIFELINE"}
    if ours:
        environment["BASELOAD_LIFELINE"] = "1"
    with subprocess.Popen(
        [sys.executable, "-c", ENGINE], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        try:
            assert _wait_gone(child, 5.0 if ours else 0.3) is ours
        finally:
            if not ours:
                os.kill(child, signal.SIGKILL)


def test_an_engine_process_that_dies_of_a_signal_leaves_its_stack() -> None:
    code = (
        "import os; from runtime.engine.process_setup import install; install();"
        "os.kill(os.getpid(), 11)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"BASELOAD_LIFELINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in done.stderr


def test_a_parent_that_is_gone_already_ends_the_child_at_once() -> None:
    code = (
        "from runtime.engine.process_setup import die_with_parent; die_with_parent(1);"
        "print('alive')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
