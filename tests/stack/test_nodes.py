"""Two nodes on one machine: replicas on both, one of them lost and back, fewer replicas, and new
settings for all of them, always with callers.

The tests follow one another on one stack: each leaves what the next begins with.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Thread
from typing import Any

import aiohttp
import psutil
import pytest
import yaml

from cluster.machine.capacity import WAIT_ENV
from tests.stack.caller import broken, caller
from tests.stack.deploy import deploy
from tests.stack.nodes import Node, cards_of_head, node
from tests.stack.running import Stack, running
from tests.stack.test_zz_kills import long_answer

CARD = "h20"
POOL = {
    "model": "tiny-moe",
    "replicas": 2,
    "card": CARD,
    "card_usd_per_hour": "1.00",
    "engine": {"device": "cpu", "max_num_seqs": 16, "kv_blocks": 1024},
}
PROFILE: dict[str, Any] = {
    "proxy_location": "HeadOnly",
    "logging_config": {"enable_access_log": False},
    "applications": [
        {
            "name": "baseload",
            "route_prefix": "/",
            "import_path": "cluster.application:build",
            "args": {"local_key": True, "engine_host": "127.0.0.1", "pools": [POOL]},
            # A caller may wait as long as a replica takes to start.
            "deployments": [
                {"name": "Scheduler", "user_config": {"region": "here", "ttft_budget_ms": 60000}}
            ],
        }
    ],
}
DRAIN_S = 40
REPLICA_S_MAX = 150.0
LOST_S_MAX = 15.0  # from the death of a raylet until callers know


@dataclass
class Site:
    stack: Stack
    second: Node
    others: ExitStack  # nodes that tests add

    def deploy(self, change: Callable[[dict[str, Any]], None]) -> None:
        document = yaml.safe_load((self.stack.state / "serve.yaml").read_text())
        change(document["applications"][0])
        deploy(self.stack.state, document)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("nodes")
    profile, state = folder / "nodes.yaml", folder / "state"
    profile.write_text(yaml.safe_dump(copy.deepcopy(PROFILE)))
    env = {**cards_of_head(CARD, 1), "BASELOAD_DRAIN_S": str(DRAIN_S), WAIT_ENV: "1"}
    with ExitStack() as others:
        joined: list[Node] = []
        # The stack is ready when both replicas are, so the node must come while it waits.
        joining = Thread(target=lambda: joined.append(others.enter_context(node(state, CARD, 1))))
        joining.start()
        with running(state, profile, env) as stack:
            joining.join()
            yield Site(stack, joined[0], others)


async def begun(stack: Stack, session: aiohttp.ClientSession, count: int) -> list[Any]:
    """That many long answers, all of them past their first token."""
    at: asyncio.Queue[str] = asyncio.Queue()
    tasks = [asyncio.create_task(long_answer(session, stack, at)) for _ in range(count)]
    for _ in tasks:
        await asyncio.wait_for(at.get(), 60)
    return tasks


def fewer_than(stack: Stack, replicas: int, within_s: float) -> None:
    deadline_s = time.monotonic() + within_s
    while stack.replicas() >= replicas:
        assert time.monotonic() < deadline_s, f"still {replicas} replicas after {within_s} s"
        time.sleep(0.2)


def test_each_node_has_a_replica(site: Site) -> None:
    assert len(site.stack.engines()) == 1
    assert len(site.second.engines) == 1


async def test_a_raylet_dies_and_takes_only_its_own_streams(site: Site) -> None:
    async with aiohttp.ClientSession() as session:
        tasks = await begun(site.stack, session, 4)
        site.second.kill_raylet()
        answers = await asyncio.wait_for(asyncio.gather(*tasks), 120)
        cut = {target for target, text in answers if b'"code":"incomplete_stream"' in text}
        whole = {target for target, text in answers if text.endswith(b"data: [DONE]\n\n")}
        assert len(cut) == len(whole) == 1
        assert not cut & whole
        await asyncio.to_thread(fewer_than, site.stack, 2, LOST_S_MAX)
        for task in await begun(site.stack, session, 2):  # traffic goes on
            target, text = await task
            assert target in whole
            assert text.endswith(b"data: [DONE]\n\n")
    _, alive = psutil.wait_procs(site.second.engines, timeout=15)
    assert not alive


def test_the_replica_returns_with_the_node(site: Site) -> None:
    with caller(site.stack.url, site.stack.key) as ended:
        site.second = site.others.enter_context(node(site.stack.state, CARD, 1))
        site.stack.wait_for(2, REPLICA_S_MAX)
    assert len(site.second.engines) == 1
    assert ended
    assert not broken(ended)


async def test_fewer_replicas_let_their_streams_finish(site: Site) -> None:
    def one_replica(app: dict[str, Any]) -> None:
        app["deployments"].append({"name": "Engine-tiny-moe", "num_replicas": 1})

    async with aiohttp.ClientSession() as session:
        deploying = asyncio.create_task(asyncio.to_thread(site.deploy, one_replica))
        answers: list[tuple[str, bytes]] = []
        while site.stack.replicas() > 1:  # streams at both all the time
            answers += await asyncio.gather(*await begun(site.stack, session, 4))
        await deploying
    assert len({target for target, _ in answers}) == 2
    assert not [text for _, text in answers if not text.endswith(b"data: [DONE]\n\n")]


def test_new_settings_reach_all_replicas_and_no_caller_notices(site: Site) -> None:
    before = {engine["replica_id"] for engine in site.stack.command("engines")}

    def smaller(app: dict[str, Any]) -> None:
        app["args"]["pools"][0]["engine"]["max_num_seqs"] = 12

    with caller(site.stack.url, site.stack.key) as ended:
        site.deploy(smaller)
        deadline_s = time.monotonic() + 2 * REPLICA_S_MAX
        while time.monotonic() < deadline_s:
            engines = site.stack.command("engines")
            if [each["running_max"] for each in engines] == [12, 12]:
                break
            time.sleep(1)
    assert {engine["replica_id"] for engine in engines}.isdisjoint(before)
    assert [each["running_max"] for each in engines] == [12, 12]
    assert len(ended) > 10
    assert not broken(ended)
    audit = site.stack.command("ledger", "audit")
    assert audit["ok"], audit["problems"]
    assert audit["open_reserves"] == 0
    # Two Schedulers had requests on the same replicas for a while; no second was billed twice.
    rent = site.stack.command("ledger", "report")["rent"]
    assert 0 < rent["billed_nano_usd"] <= rent["cost_nano_usd"]
