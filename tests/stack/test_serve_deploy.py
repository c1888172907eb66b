"""`serve deploy` on a Ray with a dashboard, as KubeRay and operators use it: whatever a changed
file holds, those who call lose nothing, and `serve status` says what was refused and why."""

from __future__ import annotations

import copy
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.machine import processes
from cluster.machine.ports import free_ports
from cluster.profile import LOCAL_PROFILE
from cluster.state_folder import STATE_ENV
from runtime.run_mark import RUN_ENV
from tests.stack.caller import broken, caller
from tests.stack.running import PYTEST_ENV, Stack

BIN = Path(sys.executable).parent
READY_S_MAX = 240.0
SEEN_S_MAX = 60.0
CALLS_MIN = 5
RAW_KEY = "bl-a-raw-key-that-must-not-be-told"

Change = Callable[[dict[str, Any]], None]


@dataclass
class Cluster:
    """A Ray of its own with a dashboard, and the file that runs on it."""

    env: dict[str, str]
    dashboard: str
    folder: Path
    document: dict[str, Any]
    stack: Stack

    def deploy(self, change: Change) -> subprocess.CompletedProcess[str]:
        document = copy.deepcopy(self.document)
        change(document["applications"][0])
        file = self.folder / "changed.yaml"
        file.write_text(yaml.safe_dump(document, sort_keys=False))
        return self._serve("deploy", str(file))

    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = yaml.safe_load(self._serve("status").stdout)
        app: dict[str, Any] = told["applications"]["baseload"]
        return app

    def wait_for(self, what: Callable[[], bool], within_s: float) -> None:
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s:
            if what():
                return
            assert self.stack.process.poll() is None, "Ray has ended"
            time.sleep(0.5)
        raise AssertionError(self._serve("status").stdout)

    def _serve(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BIN / "serve", *words, "--address", self.dashboard],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("deploy")
    run_id = secrets.token_hex(8)
    gcs, dashboard, agent, client, http, metrics = free_ports(6)
    keep = {name: value for name, value in os.environ.items() if name not in PYTEST_ENV}
    state = folder / "state"
    env = keep | {
        STATE_ENV: str(state),
        RUN_ENV: run_id,
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    head = subprocess.Popen(
        [
            *(BIN / "ray", "start", "--head", "--block", "--num-cpus=4"),
            *(f"--port={gcs}", f"--dashboard-port={dashboard}", "--dashboard-host=127.0.0.1"),
            *(f"--dashboard-agent-listen-port={agent}", f"--ray-client-server-port={client}"),
        ],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    made = Cluster(
        env,
        f"http://127.0.0.1:{dashboard}",
        folder,
        _document(http, metrics),
        Stack(head, state, http),
    )
    try:
        made.wait_for(lambda: made.deploy(unchanged).returncode == 0, READY_S_MAX)
        made.wait_for(lambda: made.stack.replicas() == 1, READY_S_MAX)
        yield made
    finally:
        head.send_signal(signal.SIGKILL)
        head.wait()
        processes.end(run_id, grace_s=0)


def _document(http: int, metrics: int) -> dict[str, Any]:
    """The local profile with one engine and no stand-in, on ports of its own."""
    document: dict[str, Any] = yaml.safe_load(LOCAL_PROFILE.read_text())
    document["http_options"]["port"] = http
    (app,) = document["applications"]
    routing = app["deployments"][0]["user_config"]
    del app["args"]["stand_in"], routing["providers"], routing["rules"]
    app["args"]["pools"][0]["replicas"] = 1
    app["deployments"][0]["user_config"]["telemetry"]["metrics_port"] = metrics
    return document


def _routing(app: dict[str, Any]) -> dict[str, Any]:
    routing: dict[str, Any] = app["deployments"][0]["user_config"]
    return routing


def unchanged(app: dict[str, Any]) -> None:
    pass


def raw_key(app: dict[str, Any]) -> None:
    _routing(app)["tenants"] = {"acme": {"key_sha256": [RAW_KEY]}}


def unknown_card(app: dict[str, Any]) -> None:
    app["args"]["pools"][0]["card"] = "h2000"


def unknown_deployment(app: dict[str, Any]) -> None:
    app["deployments"][0]["name"] = "Schedulr"


def test_a_bad_user_config_is_refused_in_sight_of_all_and_stops_nobody(cluster: Cluster) -> None:
    with caller(cluster.stack.url, cluster.stack.key) as ended:
        assert cluster.deploy(raw_key).returncode == 0  # Serve takes it before anybody reads it
        cluster.wait_for(lambda: "config_refused" in cluster.stack.get("/ready")[1], SEEN_S_MAX)

        def shown() -> bool:
            told = cluster.status()["deployments"]["Configuration"]
            return told["status"] != "HEALTHY" and "user_config is refused" in told["message"]

        cluster.wait_for(shown, SEEN_S_MAX)
        assert RAW_KEY not in json.dumps([cluster.status(), cluster.stack.get("/ready")])
        calls = len(ended)
        cluster.wait_for(lambda: len(ended) >= calls + CALLS_MIN, SEEN_S_MAX)

        assert cluster.deploy(unchanged).returncode == 0
        cluster.wait_for(lambda: cluster.status()["status"] == "RUNNING", SEEN_S_MAX * 2)
        assert "config_refused" not in cluster.stack.get("/ready")[1]
    assert broken(ended) == []


@pytest.mark.parametrize("bad", [unknown_card, unknown_deployment])
def test_a_file_that_cannot_be_built_is_refused_and_stops_nobody(
    cluster: Cluster, bad: Change
) -> None:
    with caller(cluster.stack.url, cluster.stack.key) as ended:
        cluster.deploy(bad)

        def shown() -> bool:
            told = cluster.status()
            return told["status"] == "DEPLOY_FAILED" and bool(told["message"])

        cluster.wait_for(shown, SEEN_S_MAX)
        told = cluster.status()["message"]
        assert ("h2000" in told) or ("Schedulr" in told)
        calls = len(ended)
        cluster.wait_for(lambda: len(ended) >= calls + CALLS_MIN, SEEN_S_MAX)

        assert cluster.deploy(unchanged).returncode == 0
        cluster.wait_for(lambda: cluster.status()["status"] == "RUNNING", SEEN_S_MAX * 2)
    assert broken(ended) == []
