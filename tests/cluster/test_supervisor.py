"""What `baseload serve` checks and finds out before and while a run lives."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cluster import supervisor
from cluster.processes import RUN_ENV
from cluster.profile import LOCAL_PROFILE, Profile, load
from cluster.state import STATE_ENV
from runtime.errors import ConfigError


def _profile(port: int) -> Profile:
    return load(LOCAL_PROFILE).moved(port, [1, 2])


def _refused(profile: Profile, state: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        supervisor.preflight(profile, state)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_all_is_well(tmp_path: Path) -> None:
    (port,) = supervisor.free_ports(1)
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
    (port,) = supervisor.free_ports(1)
    told = _refused(_profile(port), tmp_path / "file" / "state")
    assert "cannot be written (Not a directory)" in told
    assert STATE_ENV in told


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_state_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    (port,) = supervisor.free_ports(1)
    assert "cannot be written (Permission denied)" in _refused(_profile(port), tmp_path)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FREE_DISK_BYTES_MIN", 2**60)
    (port,) = supervisor.free_ports(1)
    assert "MiB are free at" in _refused(_profile(port), tmp_path)


def test_free_ports_are_free_and_distinct() -> None:
    ports = supervisor.free_ports(5)
    assert len(set(ports)) == 5
    assert all(supervisor.port_is_free("127.0.0.1", port) for port in ports)


def test_the_environment_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_worker_niceness", "5")
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)  # an earlier test's Ray sets it
    made = supervisor.environment("cafe0123deadbeef", tmp_path)
    assert made[RUN_ENV] == "cafe0123deadbeef"
    assert made[STATE_ENV] == str(tmp_path)
    assert "RAY_worker_niceness" not in made  # the operator's value stays
    assert made["RAY_USAGE_STATS_ENABLED"] == "0"
    wrapper = Path(made["RAY_SERVE_HAPROXY_BINARY_PATH"])
    assert wrapper.parent == Path(sys.executable).parent
    sockets = [value for value in made.values() if value.endswith(".sock")]
    assert sockets
    assert all(len(value) < 40 for value in sockets)


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
    (port,) = supervisor.free_ports(1)
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


def test_the_tail_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    log.write_bytes(b"\xff\n" + b"".join(b"line %d\n" % number for number in range(100)))
    told = supervisor._tail(log).splitlines()
    assert len(told) == supervisor.LOG_TAIL_LINES
    assert told[-1] == "line 99"


def test_two_runs_of_one_machine_listen_on_ports_of_their_own(tmp_path: Path) -> None:
    ranges = []
    for run_id in ("00000001deadbeef", "00000002deadbeef"):
        made = supervisor.environment(run_id, tmp_path)
        first = int(made["RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT"])
        last = int(made["RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT"])
        assert 1_024 < first < last < 32_768
        ranges.append(range(first, last + 1))
    assert not set(ranges[0]) & set(ranges[1])
