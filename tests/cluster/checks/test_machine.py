"""What depends on the machine: addresses, ports in use, cards, the key file."""

from __future__ import annotations

import copy
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.checks.machine import (
    distinct_ports,
    key_findings,
    listeners,
    pool_findings,
    ports_in_use,
    refused_address,
    tiny_findings,
)
from cluster.checks.resolve_pools import Known, resolve_parts
from cluster.config_finding import Severity
from cluster.machine.capacity import WAIT_ENV
from cluster.machine.host import Host
from cluster.machine.inventory import Inventory, SeenCard
from cluster.profile import LOCAL_PROFILE, Profile, parse
from runtime.config_problems import where
from runtime.edge.auth import ensure_local_key, hash_key

LOCAL = yaml.safe_load(LOCAL_PROFILE.read_text())
KNOWN = Known.load()
HASH = "a" * 64
HOST = Host(24 << 30, 20 << 30, 2, 0.5)


def profile(change: Callable[[Any, Any], None] = lambda args, user: None) -> Profile:
    document = copy.deepcopy(LOCAL)
    app = document["applications"][0]
    change(app["args"], app["deployments"][0]["user_config"])
    return parse(Path("x.yaml"), document)


def on_port(port: int, part: str) -> Profile:
    def change(args: Any, user: Any) -> None:
        if part == "metrics":
            user["telemetry"]["metrics_port"] = port
        else:
            args["stand_in"]["port"] = port

    return profile(change)


def cards(count: int, card_id: str | None = "h20") -> Inventory:
    seen = SeenCard(0, "NVIDIA H20", card_id, 97_871, 0, 97_871, "570")
    return Inventory("here", (seen,) * count)


def test_a_port_in_use_is_an_error_and_metrics_move_up() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        for part, severity in (("stand_in", Severity.ERROR), ("metrics", Severity.WARNING)):
            facts = [fact for fact in listeners(on_port(port, part)) if fact.port == port]
            (found,) = ports_in_use(facts)
            assert found.severity is severity
            assert f"port {port} on 127.0.0.1 is in use" in str(found)
    assert refused_address("127.0.0.1", port) is None


def test_what_nothing_can_listen_on() -> None:
    assert refused_address("127.0.0.1", 0) is None
    assert refused_address("203.0.113.7", 0) == "Cannot assign requested address"
    assert refused_address("no-such-host.invalid", 0) is not None


def test_each_listener_has_a_port_of_its_own() -> None:
    assert [*distinct_ports(listeners(profile()))] == []
    (found,) = distinct_ports(listeners(on_port(8000, "metrics")))
    assert where(found.problem.path).endswith("telemetry.metrics_port")
    (found,) = distinct_ports(listeners(on_port(21_050, "metrics")))
    assert found.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (cards(8), None),
        (cards(4), "8 x h20 are needed, and this machine has 4 x h20"),
        (cards(8, "h200"), "this machine has 8 x h200"),
        (cards(8, None), "this machine has 8 x cards that the card file lacks"),
        (Inventory("here", problems=("no driver",)), "this machine has none (no driver)"),
    ],
)
def test_cards_are_counted_over_all_pools(seen: Inventory, says: str | None) -> None:
    def change(args: Any, user: Any) -> None:
        pool = args["pools"][0] | {"card": "h20", "replicas": 4, "engine": {"tensor_parallel": 2}}
        args["pools"] = [pool]

    found = profile(change)
    resolved = resolve_parts(dict(enumerate(found.args.pools)), None, KNOWN, Path("/s"), ("args",))
    told = [str(each) for each in pool_findings(resolved.pools, seen, HOST, {})]
    assert told == [] if says is None else (len(told) == 1 and says in told[0])
    waiting = pool_findings(resolved.pools, seen, HOST, {WAIT_ENV: "1"})
    assert [each.severity for each in waiting] == [Severity.WARNING] * len(told)


def test_the_tiny_model_is_made_where_nothing_else_stands(tmp_path: Path) -> None:
    assert [*tiny_findings(tmp_path / "tiny-moe")] == []
    (tmp_path / "tiny-moe").mkdir()
    assert [*tiny_findings(tmp_path / "tiny-moe")] == []
    (tmp_path / "tiny-moe" / "mine").touch()
    (found,) = tiny_findings(tmp_path / "tiny-moe")
    assert found.is_error
    assert "it holds 'mine'" in str(found)
    (found,) = tiny_findings(tmp_path / "tiny-moe" / "mine")
    assert "it holds 'mine'" in str(found)


def test_the_key_file_is_looked_at_where_it_has_been_made(tmp_path: Path) -> None:
    def known(args: Any, user: Any) -> None:
        user["tenants"] = {"acme": {"key_sha256": [hash_key(key)]}}

    assert [*key_findings(profile(), tmp_path)] == []
    key = ensure_local_key(tmp_path / "api-key")
    assert [*key_findings(profile(), tmp_path)] == []
    (found,) = key_findings(profile(known), tmp_path)
    assert "share a key" in str(found)
    (tmp_path / "api-key").chmod(0o644)
    (found,) = key_findings(profile(), tmp_path)
    assert "Others can read the API key file" in str(found)
    assert key not in str(found)
