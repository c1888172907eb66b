"""The processes of one run, found by a mark in their environment, and ended without survivors."""

from __future__ import annotations

import os
import time

import psutil

from runtime.run_mark import RUN_ENV

POLL_S = 0.1


def of_run(run_id: str) -> list[psutil.Process]:
    """Every live process that was started under this run, wherever it was reparented to."""
    mark = f"{RUN_ENV}={run_id}".encode()
    found = []
    for process in psutil.process_iter():
        if process.pid != os.getpid() and mark in _environment(process.pid).split(b"\0"):
            found.append(process)
    return found


def runs() -> set[str]:
    """The ids of all runs of which a process lives, as far as this user may see them."""
    prefix = f"{RUN_ENV}=".encode()
    return {
        entry.removeprefix(prefix).decode(errors="replace")
        for process in psutil.process_iter()
        for entry in _environment(process.pid).split(b"\0")
        if entry.startswith(prefix)
    }


def named(run_id: str, name: str) -> psutil.Process | None:
    return next((process for process in of_run(run_id) if _name(process) == name), None)


def end(run_id: str, grace_s: float) -> int:
    """Waits ``grace_s`` for the run's processes to end, then kills them; returns how many."""
    deadline_s = time.monotonic() + grace_s
    while (left := of_run(run_id)) and time.monotonic() < deadline_s:
        time.sleep(POLL_S)
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(left, timeout=5)
    return len(left)


def _environment(pid: int) -> bytes:
    # Read raw: it is our own mark that counts, and another user's process is not ours.
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return ""
