from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from benchmarks.peers.baseload_alone import BASELOAD_ALONE
from benchmarks.peers.gateway_setting import Command, GatewaySetting, Overload
from benchmarks.peers.litellm import LITELLM
from benchmarks.peers.peer import Peer
from benchmarks.peers.plain_engines import NARROW, WIDE, engine_flags
from benchmarks.peers.ray_serve_llm import RAY_SERVE_LLM
from benchmarks.peers.roster import PEERS, chosen
from benchmarks.peers.smg import SMG
from benchmarks.peers.vllm_router import VLLM_ROUTER
from benchmarks.rig.common import Target

PYTHON = Path("/peer/bin/python")
ENGINES = (Target("http://127.0.0.1:1/v1", "a"), Target("http://127.0.0.1:2/v1", "b"))
OVERLOAD = Overload(
    Target("http://127.0.0.1:3/v1", "c"), running_max=32, capacity_per_s=14.0, budget_s=3.0
)


def command(peer: Peer, folder: Path, overload: Overload | None = None) -> Command:
    engines = ENGINES[:1] if peer is BASELOAD_ALONE else ENGINES
    return peer.command(PYTHON, GatewaySetting(engines, 10, 11, folder, overload))


def value(argv: tuple[str, ...], flag: str) -> str:
    return argv[argv.index(flag) + 1]


def test_who_only_queues_is_told_how_long() -> None:
    assert (OVERLOAD.queue_s_max, OVERLOAD.queue_max) == (2, 28)
    hasty = Overload(OVERLOAD.provider, 32, 0.1, 0.5)
    assert (hasty.queue_s_max, hasty.queue_max) == (1, 1)


@pytest.mark.parametrize("peer", [VLLM_ROUTER, SMG])
def test_routers_know_both_engines_and_their_limits(peer: Peer, tmp_path: Path) -> None:
    argv = command(peer, tmp_path).argv
    at = argv.index("--worker-urls")
    assert argv[at + 1 : at + 3] == ("http://127.0.0.1:1", "http://127.0.0.1:2")
    assert (value(argv, "--host"), value(argv, "--port")) == ("127.0.0.1", "10")
    assert value(argv, "--prometheus-port") == "11"
    assert "--max-concurrent-requests" not in argv
    argv = command(peer, tmp_path, OVERLOAD).argv
    assert value(argv, "--max-concurrent-requests") == "32"
    assert value(argv, "--queue-size") == "28"
    assert value(argv, "--queue-timeout-secs") == "2"


def litellm_config(folder: Path, overload: Overload | None) -> dict[str, object]:
    argv = command(LITELLM, folder, overload).argv
    loaded: dict[str, object] = yaml.safe_load(Path(value(argv, "--config")).read_text())
    return loaded


def test_litellm_buys_only_under_overload(tmp_path: Path) -> None:
    plain = litellm_config(tmp_path, None)
    assert isinstance(plain["model_list"], list)
    assert [each["model_name"] for each in plain["model_list"]] == ["tiny-moe"] * 2
    assert "fallbacks" not in str(plain)
    full = litellm_config(tmp_path, OVERLOAD)
    assert isinstance(full["model_list"], list)
    *local, bought = full["model_list"]
    assert [each["litellm_params"]["max_parallel_requests"] for each in local] == [16, 16]
    assert bought["litellm_params"]["api_base"] == OVERLOAD.provider.base_url
    assert "max_parallel_requests" not in bought["litellm_params"]
    assert full["router_settings"]["fallbacks"] == [{"tiny-moe": [bought["model_name"]]}]  # type: ignore[index]


def test_ray_serve_llm_has_engines_like_the_others(tmp_path: Path) -> None:
    given = json.loads(command(RAY_SERVE_LLM, tmp_path).argv[-1])
    flags = given["model"]["engine_kwargs"]
    assert flags == {k.replace("-", "_"): v for k, v in engine_flags(WIDE).items()}
    assert given["model"]["deployment_config"] == {"num_replicas": 2}
    given = json.loads(command(RAY_SERVE_LLM, tmp_path, OVERLOAD).argv[-1])
    assert given["model"]["engine_kwargs"]["max_num_seqs"] == NARROW.running_max
    assert given["model"]["deployment_config"]["max_queued_requests"] == 28


def test_baseload_alone_gets_a_hash_and_the_caller_the_key(tmp_path: Path) -> None:
    made = command(BASELOAD_ALONE, tmp_path)
    routing = Path(value(made.argv, "--config")).read_text()
    assert made.key not in routing
    assert ENGINES[0].base_url in routing
    assert ENGINES[0].key in made.env.values()


def test_peers_are_chosen_by_name() -> None:
    assert chosen([]) == PEERS
    assert chosen(["smg", "vllm-router"]) == (VLLM_ROUTER, SMG)
    with pytest.raises(ValueError, match=r"no peer nginx: there are vllm-router, smg"):
        chosen(["nginx", "smg"])


def test_names_are_unique_and_make_folders() -> None:
    names = [peer.name for peer in PEERS]
    assert len(set(names)) == len(names)
    assert all("/" not in name and " " not in name for name in names)
