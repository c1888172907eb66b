"""A Scheduler as Serve starts it, with a directory and an engine in this process: no Ray."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from cluster import scheduler_deployment as deployment
from cluster.engine_deployment import registrations
from cluster.replica_directory import Directory
from cluster.replica_leases import Registration
from cluster.state_folder import DRAIN_ENV
from runtime.edge.auth import hash_key
from runtime.edge.edge_context import Edge
from runtime.edge.private_server import PrivateServer
from runtime.targets.upstream import Upstream
from tests.runtime.parts import HOST, KEY, PATIENCE_S, POOL, TOKEN, Served, chat, serving

Ask = Callable[[], Coroutine[Any, Any, tuple[int, str]]]


class Scheduler(deployment.Scheduler):
    """Serve awaits ``__del__``; the collector of this process would only call it."""

    def __del__(self) -> None:  # type: ignore[override]
        pass


def scheduler(folder: Path, directory: Directory) -> Scheduler:
    return Scheduler(
        [POOL], folder / "ledger.db", {"acme": [hash_key(KEY)]}, handle_of(directory), []
    )


def handle_of(directory: Directory) -> Any:
    """As Serve's handles are called."""
    calls = (directory.watch, directory.note_config, directory.config)
    return SimpleNamespace(**{each.__name__: SimpleNamespace(remote=each) for each in calls})


@asynccontextmanager
async def starting(folder: Path, directory: Directory) -> AsyncIterator[tuple[Any, Ask]]:
    """The start, under way; and a caller's request, which like Serve's waits for the start.

    It is told by its status and its target.
    """
    made = scheduler(folder, directory)
    front = PrivateServer(deployment.build_edge(), HOST)
    await front.start()
    opening = asyncio.create_task(made.reconfigure({}))
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {KEY}"}) as http:

        async def ask() -> tuple[int, str]:
            await asyncio.shield(opening)
            url = f"http://{HOST}:{front.port}/v1/chat/completions"
            async with http.post(url, json=chat()) as answer:
                return answer.status, answer.headers.get("x-baseload-target", "")

        try:
            yield opening, ask
        finally:
            await asyncio.wait_for(opening, PATIENCE_S)
            await deployment.Scheduler.__del__(made)
            await front.stop()


@pytest.fixture(autouse=True)
def of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process has one edge; here each test has."""
    monkeypatch.setattr(deployment, "EDGE", Edge())
    monkeypatch.setenv(DRAIN_ENV, "0.5")


def listed(engine: Served) -> list[Registration]:
    return registrations(engine.facts, "r1", engine.url.removesuffix("/v1"), TOKEN)


def joins_after(delay_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load streams open so late."""
    subscribe = Upstream.subscribe

    @asynccontextmanager
    async def late(
        upstream: Upstream, path: str, silence_s_max: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        await asyncio.sleep(delay_s)
        async with subscribe(upstream, path, silence_s_max) as lines:
            yield lines

    monkeypatch.setattr(Upstream, "subscribe", late)


@pytest.mark.parametrize("join_s", [0.0, 0.3])
async def test_a_request_waits_for_the_first_list_and_is_served(
    join_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joins_after(join_s, monkeypatch)
    directory = Directory()
    async with serving() as engine, starting(tmp_path, directory) as (opening, ask):
        asked = asyncio.create_task(ask())
        await asyncio.sleep(0.3)  # the directory has told that it knows of nobody yet
        assert not opening.done()
        await directory.renew(listed(engine))
        assert await asyncio.wait_for(asked, PATIENCE_S) == (200, "local:tiny-moe-r1")


async def test_a_list_that_is_complete_without_replicas_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.replica_directory.SETTLE_S", 0.0)
    async with starting(tmp_path, Directory()) as (opening, _):
        await asyncio.wait_for(opening, PATIENCE_S)  # a third of the limit


async def test_without_a_list_it_opens_at_the_limit_and_serves_once_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(deployment, "HEARD_S_MAX", 0.3)
    directory = Directory()
    async with serving() as engine, starting(tmp_path, directory) as (_, ask):
        started_s = time.monotonic()
        assert await asyncio.wait_for(ask(), PATIENCE_S) == (503, "")
        assert time.monotonic() - started_s >= 0.3
        assert "starting without" in caplog.text
        await directory.renew(listed(engine))
        async with asyncio.timeout(PATIENCE_S):
            while (answer := await ask())[0] == 503:
                await asyncio.sleep(0.05)
        assert answer == (200, "local:tiny-moe-r1")
