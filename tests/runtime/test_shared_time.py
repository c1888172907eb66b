"""A second of a replica is billed once, whatever is lost from sight and whoever else is there."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from runtime.config import GatewayConfig, load_config
from runtime.edge.app import create_app
from runtime.edge.auth import KeyRing, hash_key
from runtime.edge.edge_context import Edge
from runtime.edge.private_server import PrivateServer
from runtime.engine.fault_script import Fault, Script
from runtime.errors import LedgerUnavailable
from runtime.gateway import Gateway
from runtime.ledger.ledger import Ledger
from tests.runtime.parts import HOST, KEY, Stack, chat, stack, until

SPEAKS_ONCE = Script(fault=Fault.HANG, after_tokens=1)
TOGETHER_S = 0.4  # that two requests are on a replica: long beside what else the test takes


@asynccontextmanager
async def successor(
    s: Stack, config: GatewayConfig | None = None
) -> AsyncIterator[tuple[Gateway, str]]:
    """Another gateway of the same ledger and replicas, as in a rolling upgrade; and its address."""
    ledger = Ledger.open(s.ledger, owner="successor")
    pools, prices = s.gateway.pools.values(), s.gateway._prices
    gateway = Gateway(config or load_config({}), pools, prices, ledger)
    await gateway.start()
    gateway.set_replicas([each.endpoint for each in s.replicas])
    edge = Edge()
    edge.open(gateway, KeyRing({"acme": [hash_key(KEY)]}))
    front = PrivateServer(create_app(edge), HOST)
    await front.start()
    try:
        await until(lambda: len(gateway.locals) == len(s.replicas))
        yield gateway, f"http://{HOST}:{front.port}/v1/chat/completions"
    finally:
        await gateway.close(drain_s_max=2)
        await front.stop()


async def _started(answer: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
    assert answer.status == 200
    await answer.content.readany()
    return answer


def _shares_ns(s: Stack) -> list[int]:
    said = [re.search(r" x (\d+) ns,", row.derivation or "") for row in s.rows()]
    return [int(each[1]) for each in said if each]


async def test_a_replica_that_is_lost_and_found_bills_no_second_twice(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[SPEAKS_ONCE]) as s:
        began_ns = time.monotonic_ns()
        first = await _started(await s.post(chat(stream=True)))
        s.gateway.set_replicas([])
        await until(lambda: not s.gateway.locals)
        s.gateway.set_replicas([s.replicas[0].endpoint])
        await until(lambda: bool(s.gateway.locals))
        second = await _started(await s.post(chat(stream=True)))
        await asyncio.sleep(TOGETHER_S)
        first.close()
        second.close()
        await s.idle()
        busy_ns = time.monotonic_ns() - began_ns
        shares_ns = _shares_ns(s)
    assert len(shares_ns) == 2
    assert TOGETHER_S * 1e9 <= sum(shares_ns) <= busy_ns


class _Broken:
    def start(self, now_ns: int) -> int:
        raise LedgerUnavailable


async def test_without_a_clock_no_work_is_started(tmp_path: Path) -> None:
    async with stack(tmp_path) as s:
        s.gateway.locals["r1"].clock = _Broken()  # type: ignore[assignment]
        assert (await s.post(chat())).status == 503
        await s.idle()
        assert s.asked == 0
        assert (s.row().ending, s.row().cost_nano_usd) == ("void", 0)


async def test_a_rolling_upgrade_bills_no_second_of_a_replica_twice(tmp_path: Path) -> None:
    async with stack(tmp_path, scripts=[SPEAKS_ONCE]) as s, successor(s) as (_, address):
        began_ns = time.monotonic_ns()
        old = await _started(await s.post(chat(stream=True)))
        new = await _started(await s.http.post(address, json=chat(stream=True)))
        await asyncio.sleep(TOGETHER_S)
        old.close()
        new.close()
        await until(lambda: len(_shares_ns(s)) == 2)
        busy_ns = time.monotonic_ns() - began_ns
        shares_ns = _shares_ns(s)
    assert TOGETHER_S * 1e9 <= sum(shares_ns) <= busy_ns
