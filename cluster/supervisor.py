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
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from cluster import processes
from cluster.haproxy import BINARY_ENV
from cluster.profile import Profile
from cluster.state import DRAIN_ENV, STATE_ENV
from runtime.errors import ConfigError
from runtime.http.auth import ensure_local_key

START_S_MAX = 600.0
STOP_S_MAX = 13.0  # nothing of a run is alive 15 s after Ctrl-C
DRAIN_S = 5
POLL_S = 0.25
FREE_DISK_BYTES_MIN = 64 * 1024 * 1024
LOG_TAIL_LINES = 15
# Below the ports that the system gives out by itself.
PORTS_FROM, PORTS_PER_RUN, RUNS_APART = 21_000, 100, 90
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
    log: Path
    profile: Profile
    watch_parent: bool  # end when the `make` that started us ends
    parent_pid: int
    parent_catches_sigint: bool


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
            f"{state} cannot be written ({error.strerror}): free some space, or set "
            f"{STATE_ENV} to a folder that can"
        ) from None
    free = psutil.disk_usage(str(state)).free
    if free < FREE_DISK_BYTES_MIN:
        raise ConfigError(
            f"only {free // 2**20} MiB are free at {state}, and the ledger needs "
            f"{FREE_DISK_BYTES_MIN // 2**20}: free some space, or set {STATE_ENV}"
        )


def start(profile: Profile, state: Path, *, watch_parent: bool) -> Run:
    run_id = secrets.token_hex(8)
    config = state / "serve.yaml"
    config.write_text(yaml.safe_dump(profile.document, sort_keys=False))
    log = state / "serve.log"
    with log.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 -- our own module, no shell
            [sys.executable, "-m", "cluster.up", str(config), str(os.getpid())],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=os.environ | environment(run_id, state),
            start_new_session=True,  # a terminal's Ctrl-C is ours to pass on, once
        )
    parent = os.getppid()
    return Run(run_id, child, log, profile, watch_parent, parent, _catches_sigint(parent))


def environment(run_id: str, state: Path) -> dict[str, str]:
    """What Ray, Serve and HAProxy are told; a value that the operator has set stays."""
    metrics_port, stats_port = free_ports(2)
    scratch = _scratch(run_id)
    wanted = {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        BINARY_ENV: str(Path(sys.executable).parent / "baseload-haproxy"),
        "RAY_SERVE_HAPROXY_NBTHREAD": str(max(1, (os.cpu_count() or 1) // 4)),
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics_port),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(stats_port),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{scratch}/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{scratch}/admin.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": scratch,
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{scratch}/server-state",
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": f"{scratch}/metrics.sock",
        "RAY_SERVE_HAPROXY_HEALTH_CHECK_INTER": "1s",
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        **_scheduler_ports(run_id),
        "RAY_USAGE_STATS_ENABLED": "0",
        **ray_authentication(state),
        "RAY_worker_niceness": "0",  # an engine is not a background job
    }
    own = {processes.RUN_ENV: run_id, STATE_ENV: str(state)}
    wanted[DRAIN_ENV] = str(DRAIN_S)
    return {name: value for name, value in wanted.items() if name not in os.environ} | own


def _scheduler_ports(run_id: str) -> dict[str, str]:
    """Ports of its own for each run: Serve tells HAProxy of a port before it is bound, so that of
    two runs on one machine the later would for a moment send its callers to the earlier."""
    first = PORTS_FROM + PORTS_PER_RUN * (int(run_id[:8], 16) % RUNS_APART)
    return {
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(first + PORTS_PER_RUN - 1),
    }


def _scratch(run_id: str) -> str:
    return f"/tmp/bl-{run_id[:8]}"  # noqa: S108 -- a socket path has 107 bytes, and Ray adds 70


def ray_authentication(state: Path) -> dict[str, str]:
    """Ray runs whatever its API is told to, so the API takes this state folder's token only."""
    path = state / "ray-token"
    ensure_local_key(path)
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path)}


def wait_ready(run: Run, say: Say) -> None:
    """Returns when every pool has all its replicas; says each change on the way."""
    wanted = {pool.model: pool.targets for pool in run.profile.args.pools}
    deadline_s = time.monotonic() + START_S_MAX
    shown = ""
    while time.monotonic() < deadline_s:
        _check_alive(run)
        state = probe_ready(run.profile)
        counts = state.get("replicas", {})
        have = ", ".join(
            f"{counts.get(model, 0)} of {n} replicas of {model}" for model, n in wanted.items()
        )
        now = have if state else "starting Ray and the Scheduler"
        if now != shown:
            say(now)
            shown = now
        if state.get("ready") and all(counts.get(m, 0) >= n for m, n in wanted.items()):
            return
        time.sleep(POLL_S)
    raise ConfigError(f"not ready after {START_S_MAX:.0f} s; the log is {run.log}")


def stay(run: Run) -> None:
    """Blocks while the run lives; raises when a part of it that cannot be replaced is gone."""
    raylet = processes.named(run.run_id, "raylet")
    while True:
        _check_alive(run)
        if raylet is None or not raylet.is_running() or raylet.status() == psutil.STATUS_ZOMBIE:
            raise ConfigError(f"Ray's raylet is gone; the log is {run.log}. Start again.")
        time.sleep(POLL_S)


def stop(run: Run, *, drain: bool) -> int:
    """Asks for a drained end, waits, and ends what is left. Returns how many had to be killed."""
    if run.child.poll() is None:
        run.child.send_signal(signal.SIGINT if drain else signal.SIGKILL)
        try:
            run.child.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            run.child.kill()
            run.child.wait()
    killed = processes.end(run.run_id, grace_s=1.0 if drain else 0.0)
    shutil.rmtree(_scratch(run.run_id), ignore_errors=True)
    return killed


def probe_ready(profile: Profile) -> dict[str, Any]:
    """The body of /ready, whatever its status; {} while nothing answers."""
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
    return state if isinstance(state, dict) and "replicas" in state else {}


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def port_is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _check_port(host: str, port: int) -> None:
    if not port_is_free(host, port):
        raise ConfigError(
            f"port {port} on {host} is in use: stop what holds it, or choose another with "
            f"--port (make serve PORT={port + 10})"
        )


def _check_alive(run: Run) -> None:
    if run.child.poll() is not None:
        raise ConfigError(
            f"Ray Serve ended (exit {run.child.returncode}). The log, {run.log}, ends:\n"
            + _tail(run.log)
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


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join(lines[-LOG_TAIL_LINES:])
