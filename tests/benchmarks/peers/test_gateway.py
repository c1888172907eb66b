from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.peers import gateway as module
from benchmarks.peers.gateway import running
from benchmarks.peers.gateway_setting import Command, GatewaySetting
from benchmarks.peers.peer import Peer
from benchmarks.rig.common import BenchmarkError

SERVES = """
import http.server, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.headers["authorization"] == "Bearer k" else 401)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Hello).serve_forever()
"""


def peer(code: str, titles: tuple[str, ...] = ()) -> Peer:
    def command(python: Path, setting: GatewaySetting) -> Command:
        return Command((str(python), "-c", code, str(setting.port)), "k")

    return Peer("p", "P", "p", (), command, "", gateway_titles=titles)


def test_nothing_of_a_gateway_outlives_it(tmp_path: Path) -> None:
    with running(peer(SERVES), Path(sys.executable), (), tmp_path) as gateway:
        assert gateway.target.key == "k"
        while len(pids := gateway.pids()) < 2:  # its child has a session of its own
            time.sleep(0.01)
    assert not any(psutil.pid_exists(pid) for pid in pids.values())


def test_only_processes_of_a_title_are_counted(tmp_path: Path) -> None:
    with running(peer(SERVES, ("no such",)), Path(sys.executable), (), tmp_path) as gateway:
        assert gateway.pids() == {}


def test_one_that_ends_says_why(tmp_path: Path) -> None:
    dies = peer("raise SystemExit('bad flag')")
    with (
        pytest.raises(BenchmarkError, match="p ended before it was ready: bad flag"),
        running(dies, Path(sys.executable), (), tmp_path),
    ):
        pass


def test_one_that_never_answers_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "START_S_MAX", 0.3)
    silent = peer("import time; time.sleep(60)")
    with (
        pytest.raises(BenchmarkError, match="not ready"),
        running(silent, Path(sys.executable), (), tmp_path),
    ):
        pass
