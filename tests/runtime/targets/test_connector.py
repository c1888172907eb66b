"""Which connections are opened, kept and given up."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from runtime.request_limits import LIMITS, refusals
from runtime.targets.connection_faults import NoConnection
from runtime.targets.connector import Connector, Origin
from tests.runtime.targets.servers import (
    HOST,
    LOOPS,
    PATIENCE_S,
    Loop,
    Visit,
    polite,
    site,
    whole,
)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://h:81/v1", Origin("h", 81, tls=False)),
        ("http://h", Origin("h", 80, tls=False)),
        ("https://h/v1", Origin("h", 443, tls=True)),
        ("http://[::1]:8000/v1", Origin("::1", 8000, tls=False)),
    ],
)
def test_an_origin(url: str, origin: Origin) -> None:
    assert Origin.of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "h:80",
            "ftp://h",
            "http://",
            "http://h/ü",
            "http://h/a b",
            "http://h/\n",
            "http://h:0",
        ),
        *("http://:pw@h", "http://u@h", "http://@h", "http://h?a", "http://h/v1#b", "http://h/?"),
    ],
)
def test_no_origin(url: str) -> None:
    with pytest.raises(ValueError, match="the URL") as caught:
        Origin.of(url)
    assert "pw" not in str(caught.value)


async def test_the_connection_used_last_is_used_next() -> None:
    async with site(polite) as s:
        both = [await s.ask(), await s.ask()]
        for response in both:
            await whole(response)
        for _ in range(3):
            await whole(await s.ask())
        assert len(s.visits) == 2


async def test_an_idle_connection_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.targets.connector.IDLE_S_MAX", 0.05)
    async with site(polite) as s:
        await whole(await s.ask())
        await asyncio.sleep(0.02)
        await whole(await s.ask())
        while s.connector._live:
            await asyncio.sleep(0.01)
        await whole(await s.ask())
        assert len(s.visits) == 2


async def test_there_is_a_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.targets.connector.LIMITS", replace(LIMITS, connections_max=2))
    before = refusals["connections_max"]
    go = asyncio.Event()

    async def slow(visit: Visit) -> None:
        await go.wait()
        await polite(visit)

    async with site(slow) as s:
        responses = [await s.ask(), await s.ask()]
        with pytest.raises(NoConnection):
            await s.ask()
        assert refusals["connections_max"] == before + 1
        go.set()
        for response in responses:
            await whole(response)
        await whole(await s.ask())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_caller_that_gives_up_leaves_nothing_open(loop: Loop) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(_given_up_at_every_turn())


async def _given_up_at_every_turn() -> None:
    left = 0

    async def talk(visit: Visit) -> None:
        nonlocal left
        await visit.reader.read()
        left += 1

    async with site(talk) as s:
        opened = 0
        for turns in range(12):
            asking = asyncio.create_task(s.connector.connect(s.origin, PATIENCE_S))
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            if not asking.cancelled():
                opened += 1
        await asyncio.sleep(0.05)
        assert len(s.connector._live) == opened
        assert len(s.visits) - left == opened
        assert s.connector._opening == 0


async def test_a_target_that_closes_at_once() -> None:
    async def rude(visit: Visit) -> None:
        visit.writer.close()

    async with site(rude) as s:
        with pytest.raises(ConnectionError):
            await whole(await s.ask())


async def test_a_connection_lost_before_it_is_had_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    create = loop.create_connection

    async def lost_at_once(*args: Any, **kwargs: Any) -> Any:
        transport, connection = await create(*args, **kwargs)
        transport.abort()
        await connection.lost
        return transport, connection

    monkeypatch.setattr(loop, "create_connection", lost_at_once)
    async with site(polite) as s:
        with pytest.raises(NoConnection, match="at once"):
            await s.ask()
        assert not s.connector._live


async def test_what_uvloop_raises_is_no_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*args: Any, **more: Any) -> Any:
        raise RuntimeError("as uvloop does")

    monkeypatch.setattr("runtime.targets.connector.start_connection", refused)
    async with site(polite) as s:
        with pytest.raises(NoConnection, match="as uvloop does"):
            await s.ask()


async def test_a_new_connection_although_one_is_idle() -> None:
    async with site(polite) as s:
        await whole(await s.ask())
        await s.connector.connect(s.origin, PATIENCE_S, new=True)
        await _until(lambda: len(s.visits) == 2)
        await whole(await s.ask())
        assert len(s.visits) == 2


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.01)


async def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        origin = Origin(HOST, taken.getsockname()[1], tls=False)
        connector = Connector()
        with pytest.raises(ConnectionRefusedError):
            await connector.connect(origin, PATIENCE_S)
        await connector.close()


async def test_a_connection_that_does_not_come_about_has_its_time() -> None:
    with socket.socket() as full:
        full.bind((HOST, 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex((HOST, port))  # the queue is full: the next gets no answer
        connector = Connector()
        with pytest.raises(TimeoutError):
            await connector.connect(Origin(HOST, port, tls=False), 0.05)
        assert connector._opening == 0
        await connector.close()
        for each in waiting:
            each.close()


async def test_closing_cuts_off_what_is_under_way() -> None:
    async with site(lambda visit: asyncio.sleep(PATIENCE_S)) as s:
        response = await s.ask()
        asking = asyncio.create_task(response.head())
        await asyncio.sleep(0)
        await s.connector.close()
        with pytest.raises(ConnectionError):
            await asking
        assert not s.connector._live


async def test_a_connection_that_is_gone_holds_nothing() -> None:
    async with site(polite) as s:
        connection = await s.connector.connect(s.origin, PATIENCE_S)
        await whole(connection.send(b"GET / HTTP/1.1\r\n\r\n"))
        s.connector._idle.clear()
        kept = weakref.ref(connection)
        connection.abort()
        await connection.lost
        gc.disable()
        try:
            del connection
            await asyncio.sleep(0)
            assert kept() is None
        finally:
            gc.enable()
