"""`baseload serve`: checks, starts, shows progress, and leaves no process behind.

Ray, Serve and the engines run under a child process, all marked as one run. Whatever happens
to them or to this process, the run ends as a whole: the child dies with this process, Ray
with the child, HAProxy and the engines with theirs; what is left is ended by its mark.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from cluster.machine import processes
from cluster.machine.ports import PortRange, claim_range, port_is_free
from cluster.profile import Profile
from cluster.run import scratch_folder, start_report
from cluster.run.environment import DRAIN_S, environment, ports_environment
from cluster.run.run_files import RunFiles, run_files
from cluster.run.scratch_folder import Scratch
from cluster.run.start_watch import StartWatch
from cluster.run.unwritable_folder import what_to_do
from cluster.state_folder import STATE_ENV, drain_s_max
from runtime.engine.process_log import last_lines
from runtime.errors import ConfigError
from runtime.start_failed import StartFailed

START_S_MAX = 600.0
STOP_S_MAX = 13.0  # beyond the time that running requests have to finish
POLL_S = 0.25
LIFE_SIGN_S = 10.0  # while nothing changes
FREE_DISK_BYTES_MIN = 64 * 1024 * 1024
LOG_TAIL_LINES = 15
SIGINT_BIT = 1 << (signal.SIGINT - 1)

Say = Callable[[str], None]


class Stopped(Exception):
    """Ctrl-C, or a termination signal."""


class Orphaned(Stopped):
    """The `make` that started us was killed: nobody is left to wait for a drain."""


@dataclass(frozen=True)
class Run:
    run_id: str
    child: subprocess.Popen[bytes]
    files: RunFiles
    ports: PortRange
    scratch: Scratch
    reports: Path  # the folder of its processes' reports
    profile: Profile
    watch_parent: bool  # end when the `make` that started us ends
    parent_pid: int
    parent_catches_sigint: bool

    @property
    def log(self) -> Path:
        return self.files.log


def preflight(profile: Profile, state: Path) -> None:
    """ConfigError is one line that says what to do."""
    _check_port(profile.host, profile.port)
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = state / f".probe-{os.getpid()}"
        with probe.open("wb") as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
        probe.unlink()
    except OSError as error:
        raise ConfigError(
            f"{state} cannot be written ({error.strerror}): {what_to_do(error)}"
        ) from None
    free = psutil.disk_usage(str(state)).free
    if free < FREE_DISK_BYTES_MIN:
        raise ConfigError(
            f"only {free // 2**20} MiB are free at {state}, and the ledger needs "
            f"{FREE_DISK_BYTES_MIN // 2**20}: free some space, or set {STATE_ENV}"
        )


def start(profile: Profile, state: Path, *, watch_parent: bool) -> Run:
    """ConfigError where a file of the run cannot be written, or no ports are left."""
    run_id = secrets.token_hex(8)
    reports = start_report.folder(state, run_id)
    with ExitStack() as undo:
        ports = claim_range(int(run_id[:8], 16))
        undo.callback(ports.close)
        try:
            files = run_files(state, profile.port)
            undo.callback(files.close)
            scratch_folder.sweep()
            own = scratch_folder.make(run_id)
            undo.callback(own.remove)
            reports.mkdir(mode=0o700, parents=True)
            files.config.write_text(yaml.safe_dump(profile.document, sort_keys=False))
            child = _start_child(files, environment(run_id, state) | ports_environment(ports))
        except OSError as error:
            raise ConfigError(
                f"{error.filename or state} cannot be used ({error.strerror}): {what_to_do(error)}"
            ) from None
        undo.pop_all()
    parent = os.getppid()
    return Run(
        run_id,
        child,
        files,
        ports,
        own,
        reports,
        profile,
        watch_parent,
        parent,
        _catches_sigint(parent),
    )


def _start_child(files: RunFiles, own: dict[str, str]) -> subprocess.Popen[bytes]:
    with files.log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 -- our own module, no shell
            [sys.executable, "-m", "cluster.run.ray_child", str(files.config), str(os.getpid())],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=os.environ | own,
            start_new_session=True,  # a terminal's Ctrl-C is ours to pass on, once
        )


def wait_ready(run: Run, say: Say) -> None:
    """Returns when every pool has all its replicas; says how far it is on the way. StartFailed as
    soon as a part of it has failed."""
    watch = StartWatch(run.reports, run.profile)
    began_s = said_s = time.monotonic()
    shown = ""
    state: dict[str, Any] = {}
    while (now_s := time.monotonic()) - began_s < START_S_MAX:
        if failure := watch.failure():
            raise failure
        _check_alive(run)
        for line in watch.news():
            say(line)
        state = probe_ready(run.profile, run.run_id)
        progress = watch.progress(state)
        if progress != shown or now_s - said_s >= LIFE_SIGN_S:
            say(f"{progress}, {now_s - began_s:.0f} s")
            shown, said_s = progress, now_s
        if watch.is_ready(state):
            return
        time.sleep(POLL_S)
    raise watch.unfinished(START_S_MAX, state)


def stay(run: Run, say: Say, more: Callable[[], Iterable[str]]) -> None:
    """Blocks while the run lives, and says what its engines note, and ``more``; raises when a part
    of it that cannot be replaced is gone."""
    watch = StartWatch(run.reports, run.profile)
    for _ in watch.news():  # said already
        continue
    raylet = processes.named(run.run_id, "raylet")
    while True:
        _check_alive(run)
        for line in (*watch.news(), *more()):
            say(line)
        if raylet is None or not raylet.is_running() or raylet.status() == psutil.STATUS_ZOMBIE:
            raise ConfigError(f"Ray's raylet is gone; the log is {run.log}. Start again.")
        time.sleep(POLL_S)


def stop(run: Run, *, drain: bool) -> int:
    """Asks for a drained end, waits, and ends what is left. Returns how many had to be killed."""
    if run.child.poll() is None:
        run.child.send_signal(signal.SIGINT if drain else signal.SIGKILL)
        try:
            run.child.wait(STOP_S_MAX + drain_s_max(DRAIN_S))
        except subprocess.TimeoutExpired:
            run.child.kill()
            run.child.wait()
    killed = processes.end(run.run_id, grace_s=1.0 if drain else 0.0)
    run.scratch.remove()
    start_report.forget(run.reports)
    run.ports.close()
    run.files.close()
    return killed


def probe_ready(profile: Profile, run_id: str | None = None) -> dict[str, Any]:
    """The body of /ready, whatever its status; {} while nothing answers, or another run than the
    one that is asked for."""
    url = f"http://{profile.host}:{profile.port}/ready"
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        body = error.read()
    except (OSError, http.client.HTTPException):
        return {}
    try:
        state = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(state, dict) or "replicas" not in state:
        return {}
    return state if run_id in (None, state.get("run")) else {}


def _check_port(host: str, port: int) -> None:
    if not port_is_free(host, port):
        raise ConfigError(
            f"port {port} on {host} is in use: stop what holds it, or choose another with "
            f"--port (make serve PORT={port + 10})"
        )


def _check_alive(run: Run) -> None:
    if run.child.poll() is not None:
        raise StartFailed(
            f"Ray Serve ended ({_ending(run.child.returncode)}): start again, if its log does not "
            "say what to mend",
            str(run.log),
            last_lines(run.log)[-LOG_TAIL_LINES:],
        )
    if not run.watch_parent:
        return
    if os.getppid() != run.parent_pid:
        raise Orphaned
    if run.parent_catches_sigint and not _catches_sigint(run.parent_pid):
        raise Stopped  # `make` was told to stop: it drops its handler and waits for us


def _catches_sigint(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) & SIGINT_BIT)


def _ending(returncode: int) -> str:
    """Of a process, in words."""
    if returncode >= 0:
        return f"exit status {returncode}"
    return signal.Signals(-returncode).name
