"""What the processes of a run are told, so that two runs of one machine share nothing."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from ray.serve._private import constants

from cluster.machine.ports import PortRange, claim_range
from cluster.run.environment import environment, ports_environment
from cluster.state_folder import STATE_ENV
from runtime.run_mark import RUN_ENV


def test_the_environment_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_worker_niceness", "5")
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)  # an earlier test's Ray sets it
    made = environment("cafe0123deadbeef", tmp_path)
    assert made[RUN_ENV] == "cafe0123deadbeef"
    assert made[STATE_ENV] == str(tmp_path)
    assert "RAY_worker_niceness" not in made  # the operator's value stays
    assert made["RAY_USAGE_STATS_ENABLED"] == "0"
    wrapper = Path(made["RAY_SERVE_HAPROXY_BINARY_PATH"])
    assert wrapper.parent == Path(sys.executable).parent
    sockets = [value for value in made.values() if value.endswith(".sock")]
    assert sockets
    assert all(len(value) < 40 for value in sockets)


def test_serve_knows_every_name_that_it_is_told(tmp_path: Path) -> None:
    source = Path(constants.__file__).read_text()
    told = {name for name in environment("cafe0123deadbeef", tmp_path) if "RAY_SERVE_" in name}
    assert {name for name in told if f'"{name}"' not in source} == set()


def _ports_of(held: PortRange) -> dict[str, int]:
    return {name: int(value) for name, value in ports_environment(held).items()}


def test_two_runs_of_one_machine_listen_on_ports_of_their_own() -> None:
    one, two = claim_range(1), claim_range(1)
    try:
        ports = _ports_of(one)
        assert ports.keys() == _ports_of(two).keys()
        assert not set(ports.values()) & set(_ports_of(two).values())
        assert len(set(ports.values())) == len(ports)
    finally:
        one.close()
        two.close()


def test_every_port_that_serve_numbers_by_itself_is_set() -> None:
    """Serve tells HAProxy to ask its fallback proxy, which shares its port with whoever has it."""
    held = claim_range(1)
    made = _ports_of(held)
    held.close()
    source = Path(constants.__file__).read_text()
    named = set(re.findall(r'"(RAY_SERVE_[A-Z_]*PORT[A-Z_]*)"', source))
    open_ones = {name for name in named if name.endswith("_PORT")}
    assert "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT" in open_ones
    assert open_ones - made.keys() <= {
        # Only where gRPC services are configured, and none are.
        "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT",
        "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT",
        # None: proxies of other nodes then have the port that the configuration names.
        "RAY_SERVE_WORKER_PROXY_HTTP_PORT",
        "RAY_SERVE_WORKER_PROXY_GRPC_PORT",
    }
