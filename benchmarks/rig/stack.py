"""The real stack under a benchmark: started and stopped as an operator would, by command line.

It owns a state folder of its own, by which its processes are recognised. Another Baseload on the
same machine is refused, before, during and after: its load would be measured, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.rig.child import Child
from benchmarks.rig.common import BenchmarkError, Target
from benchmarks.rig.comparison import HAPROXY, SCHEDULER

PROFILE = Path(__file__).parent / "overhead.yaml"
STATE_ENV = "BASELOAD_STATE"
PROVIDER_KEY_ENV = "BASELOAD_BENCH_PROVIDER_KEY"  # of a provider that a profile may name
REPLICA_TITLE = "ray::ServeReplica:baseload:"
SCHEDULER_TITLE = REPLICA_TITLE + "Scheduler"
ENGINES_S_MAX = 60.0
LEFT_S_MAX = 15.0  # after its end, for the last process of the stack to go
POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Stack:
    endpoint: Target
    engines: tuple[Target, ...]
    watched: dict[str, int]  # name → pid


@contextlib.contextmanager
def running(state: Path, port: int | None, profile: Path = PROFILE) -> Iterator[Stack]:
    """Raises BenchmarkError if it does not start, is not alone, or leaves a process behind."""
    _check_alone(state)
    port = port or free_port()
    env = {STATE_ENV: str(state), PROVIDER_KEY_ENV: "unused"}
    # It ends with us, whatever happens to us.
    argv = [str(_command()), "serve", str(profile), "--port", str(port), "--with-make"]
    with Child(argv, "try ", env) as child:
        child.wait_ready()
        _check_alone(state)
        key = (state / "api-key").read_text().strip()
        yield Stack(
            endpoint=Target(f"http://127.0.0.1:{port}/v1", key),
            engines=_engines(env),
            watched=_watched(state),
        )
        _check_alone(state)
    _check_nothing_left(state)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _command() -> Path:
    return Path(sys.executable).parent / "baseload"


def _engines(env: dict[str, str]) -> tuple[Target, ...]:
    try:
        done = subprocess.run(
            [str(_command()), "engines", "--json"],
            env=os.environ | env,
            capture_output=True,
            text=True,
            timeout=ENGINES_S_MAX,
            check=True,
        )
        listed = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        raise BenchmarkError(f"`baseload engines --json` failed: {error}") from None
    if not listed:
        raise BenchmarkError("`baseload engines --json` lists no engine")
    return tuple(Target(entry["base_url"], entry["token"]) for entry in listed)


def _check_alone(state: Path) -> None:
    ours = {process.pid for process in marked(state)}
    for process in psutil.process_iter():
        if command_line(process).startswith(REPLICA_TITLE) and process.pid not in ours:
            raise BenchmarkError("another Baseload runs on this machine: stop it, and run again")


def _watched(state: Path) -> dict[str, int]:
    found = {}
    for process in marked(state):
        if command_line(process).startswith(SCHEDULER_TITLE):
            found[SCHEDULER] = process.pid
        elif process.name() == "haproxy":
            found[HAPROXY] = process.pid
    if SCHEDULER not in found:
        raise BenchmarkError("the Scheduler's process was not found")
    return found


def _check_nothing_left(state: Path) -> None:
    deadline_s = time.monotonic() + LEFT_S_MAX
    while left := marked(state):
        if time.monotonic() > deadline_s:
            names = ", ".join(f"{process.pid} {command_line(process)[:60]}" for process in left)
            raise BenchmarkError(f"the stack has left processes behind: {names}")
        time.sleep(POLL_S)


def marked(state: Path) -> list[psutil.Process]:
    """Live processes whose environment names this state folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(STATE_ENV) == str(state):
                found.append(process)
    return found


def command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
