"""A real stack for tests: `baseload serve` on free ports, with a state folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from cluster.machine import processes
from cluster.machine.ports import free_ports
from runtime.run_mark import RUN_ENV

BASELOAD = Path(sys.executable).parent / "baseload"
START_S_MAX = 240.0
STOP_S_MAX = 45.0
ORPHANS_S_MAX = 15.0
NO_ENV: Mapping[str, str] = {}
PYTEST_ENV = ("PYTEST_CURRENT_TEST", "PYTEST_VERSION")


@dataclass
class Stack:
    """A running stack. ``lines`` is what it printed on stdout."""

    process: subprocess.Popen[str]
    state: Path
    port: int
    lines: list[str] = field(default_factory=list)
    profile: Path | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def key(self) -> str:
        return (self.state / "api-key").read_text().strip()

    @property
    def run_id(self) -> str:
        """The mark of this stack's processes, read from one of them."""
        child = psutil.Process(self.process.pid).children()[0]
        return child.environ()[RUN_ENV]

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def command(self, *words: str) -> Any:
        """The JSON document of a `baseload … --json`."""
        done = subprocess.run(
            [BASELOAD, *words, "--json"],
            env=os.environ | {"BASELOAD_STATE": str(self.state)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def replicas(self) -> int:
        try:
            _, body = self.get("/ready")
        except (OSError, ValueError):  # nothing answers, or Serve before the application is there
            return 0
        return int(body.get("replicas", {}).get("tiny-moe", 0))

    def wait_for(self, replicas: int, within_s: float) -> None:
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s:
            if self.replicas() >= replicas:
                return
            time.sleep(0.5)
        raise AssertionError(f"{self.replicas()} of {replicas} replicas after {within_s} s")

    def engines(self) -> list[psutil.Process]:
        return [p for p in processes.of_run(self.run_id) if is_engine(p)]

    def named(self, part: str) -> psutil.Process:
        """The process whose command line holds ``part``."""
        for process in processes.of_run(self.run_id):
            if part in " ".join(process.cmdline()):
                return process
        raise AssertionError(f"no process {part}")


def is_engine(process: psutil.Process) -> bool:
    try:
        return process.name().startswith("VLLM") or process.cmdline()[:1] == ["VLLM::EngineCore"]
    except (psutil.Error, IndexError):
        return False


def left_of(run_id: str) -> list[str]:
    """Engine and HAProxy processes of a run that are alive."""
    found = []
    for process in processes.of_run(run_id):
        try:
            line = " ".join(process.cmdline())
            if process.status() != psutil.STATUS_ZOMBIE and ("VLLM" in line or "haproxy" in line):
                found.append(f"{process.pid} {line[:80]}")
        except psutil.Error:
            continue
    return found


def assert_nothing_left(run_id: str) -> None:
    deadline_s = time.monotonic() + ORPHANS_S_MAX
    while time.monotonic() < deadline_s:
        if not left_of(run_id):
            return
        time.sleep(0.25)
    raise AssertionError(f"alive after {ORPHANS_S_MAX} s: {left_of(run_id)}")


@contextmanager
def running(
    state: Path,
    profile: Path | None = None,
    env: Mapping[str, str] = NO_ENV,
    stderr: IO[str] | None = None,
) -> Iterator[Stack]:
    """Started, ready, and gone at the end whatever the test did to it. The local profile, if no
    other is given. One that is left as it was ends as at a terminal: by Ctrl-C, with nothing left.
    """
    (port,) = free_ports(1)
    keep = {name: value for name, value in os.environ.items() if name not in PYTEST_ENV}
    process = subprocess.Popen(
        [BASELOAD, "serve", *([profile] if profile else []), "--port", str(port)],
        env=keep | {"BASELOAD_STATE": str(state)} | dict(env),
        stdout=subprocess.PIPE,
        stderr=stderr or sys.stderr,
        text=True,
        start_new_session=True,
    )
    stack = Stack(process, state, port, profile=profile)
    run_id = ""
    try:
        _read_until_ready(stack)
        run_id = stack.run_id
        yield stack
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            assert process.wait(STOP_S_MAX) == 0
            assert_nothing_left(run_id)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
        if run_id:
            processes.end(run_id, grace_s=0)


def _read_until_ready(stack: Stack) -> None:
    deadline_s = time.monotonic() + START_S_MAX
    assert stack.process.stdout is not None
    while time.monotonic() < deadline_s:
        line = stack.process.stdout.readline()
        if not line:
            raise AssertionError("`baseload serve` ended before it was ready")
        stack.lines.append(line.rstrip())
        if line.startswith("try"):
            return
    raise AssertionError(f"not ready after {START_S_MAX} s")
