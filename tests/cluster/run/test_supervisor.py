"""What `baseload serve` checks and finds out before and while a run lives."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cluster.machine.ports import claim_range, free_ports
from cluster.profile import LOCAL_PROFILE, Profile, load
from cluster.run import scratch_folder, supervisor
from cluster.run.run_files import run_files
from cluster.run.start_report import StartReport
from cluster.run.supervisor import Run
from cluster.state_folder import STATE_ENV
from runtime.errors import ConfigError
from runtime.start_failed import StartFailed


def _profile(port: int) -> Profile:
    return load(LOCAL_PROFILE).moved(port, [1, 2])


def _refused(profile: Profile, state: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        supervisor.preflight(profile, state)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_all_is_well(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    supervisor.preflight(_profile(port), tmp_path / "new" / "state")
    state = tmp_path / "new" / "state"
    assert state.stat().st_mode & 0o777 == 0o700
    assert list(state.iterdir()) == []


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        told = _refused(_profile(port), tmp_path)
    assert f"port {port} on 127.0.0.1 is in use" in told
    assert f"PORT={port + 10}" in told


def test_a_state_folder_that_cannot_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (port,) = free_ports(1)
    told = _refused(_profile(port), tmp_path / "file" / "state")
    assert "cannot be written (Not a directory)" in told
    assert STATE_ENV in told


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_state_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    (port,) = free_ports(1)
    assert "cannot be written (Permission denied)" in _refused(_profile(port), tmp_path)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FREE_DISK_BYTES_MIN", 2**60)
    (port,) = free_ports(1)
    assert "MiB are free at" in _refused(_profile(port), tmp_path)


@contextmanager
def _answering(status: int, body: bytes) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("status", [200, 503])
def test_readiness_is_read_whatever_the_status(status: int) -> None:
    told = {"ready": status == 200, "replicas": {"tiny-moe": 1}}
    with _answering(status, json.dumps(told).encode()) as port:
        assert supervisor.probe_ready(_profile(port)) == told


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": {}}', b"\xff"])
def test_what_is_no_readiness_is_none(body: bytes) -> None:
    with _answering(503, body) as port:
        assert supervisor.probe_ready(_profile(port)) == {}


def test_nobody_answers_yet() -> None:
    (port,) = free_ports(1)
    assert supervisor.probe_ready(_profile(port)) == {}


def test_what_speaks_no_http_is_not_ready() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"SSH-2.0-x\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert supervisor.probe_ready(_profile(server.getsockname()[1])) == {}
        thread.join()


@pytest.mark.parametrize(
    ("code", "catches"),
    [
        ("signal.signal(signal.SIGINT, lambda *_: None)", True),
        ("signal.signal(signal.SIGINT, signal.SIG_DFL)", False),
        ("signal.signal(signal.SIGINT, signal.SIG_IGN)", False),
    ],
)
def test_whether_a_process_catches_the_interrupt(code: str, catches: bool) -> None:
    script = f"import signal, time; {code}; print(flush=True); time.sleep(30)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert supervisor._catches_sigint(child.pid) is catches
        child.kill()
    assert not supervisor._catches_sigint(child.pid)


def test_another_run_s_readiness_is_not_ours() -> None:
    """On one machine a port may for a moment be answered by another run."""
    told = {"ready": True, "replicas": {"tiny-moe": 2}, "run": "theirs"}
    with _answering(200, json.dumps(told).encode()) as port:
        assert supervisor.probe_ready(_profile(port), "ours") == {}
        assert supervisor.probe_ready(_profile(port), "theirs") == told
        assert supervisor.probe_ready(_profile(port)) == told
    with _answering(200, b'{"ready": true, "replicas": {"tiny-moe": 2}}') as port:
        assert supervisor.probe_ready(_profile(port), "ours") == {}


@contextmanager
def _run(folder: Path, port: int, code: str = "import time; time.sleep(60)") -> Iterator[Run]:
    """A run whose child does ``code`` instead of starting Ray."""
    files = run_files(folder, port)
    with (
        files.log.open("wb") as log,
        subprocess.Popen([sys.executable, "-c", code], stdout=log, stderr=log) as child,
    ):
        ports = claim_range(port)
        own = scratch_folder.make(secrets.token_hex(8))
        reports = folder / "reports"
        reports.mkdir()
        try:
            yield Run("ours", child, files, ports, own, reports, _profile(port), False, 0, False)
        finally:
            child.kill()
            own.remove()
            ports.close()
            files.close()


def _put(run: Run, **facts: object) -> None:
    report = StartReport.model_validate({"part": "an engine of tiny-moe"} | facts)
    (run.reports / "1.json").write_text(report.model_dump_json())


def test_the_wait_ends_when_all_replicas_are_there(tmp_path: Path) -> None:
    told = {"ready": True, "replicas": {"tiny-moe": 2}, "run": "ours"}
    said: list[str] = []
    with _answering(200, json.dumps(told).encode()) as port, _run(tmp_path, port) as run:
        _put(run, notes=("without AMX",))
        supervisor.wait_ready(run, said.append)
    assert said == ["without AMX", "2 of 2 replicas of tiny-moe, 0 s"]


def test_the_wait_ends_as_soon_as_an_engine_has_failed(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with _run(tmp_path, port) as run:
        _put(run, phase="failed", failure="an engine died", log_path="/l", log_tail=("a",))
        with pytest.raises(StartFailed, match="an engine died") as caught:
            supervisor.wait_ready(run, lambda line: None)
        assert run.child.poll() is None
    assert caught.value.log_lines() == ["The end of its log, /l:", "  | a"]


@pytest.mark.parametrize(
    ("code", "ending"),
    [
        ("print('last words'); raise SystemExit(3)", "exit status 3"),
        ("import os; print('last words', flush=True); os.kill(os.getpid(), 9)", "SIGKILL"),
    ],
)
def test_the_wait_ends_when_the_process_that_starts_ray_does(
    code: str, ending: str, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    expected = pytest.raises(StartFailed, match=rf"Ray Serve ended \({ending}\)")
    with _run(tmp_path, port, code) as run, expected as caught:
        supervisor.wait_ready(run, lambda line: None)
    assert caught.value.log_tail == ("last words",)


def test_a_long_wait_shows_life_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LIFE_SIGN_S", 0.0)
    monkeypatch.setattr(supervisor, "START_S_MAX", 1.0)
    monkeypatch.setattr(supervisor, "POLL_S", 0.1)
    (port,) = free_ports(1)
    said: list[str] = []
    expected = pytest.raises(StartFailed, match="not ready after 1 s: starting Ray")
    with _run(tmp_path, port) as run, expected:
        supervisor.wait_ready(run, said.append)
    assert len(said) > 1
    assert all(line.startswith("starting Ray, ") for line in said)
