"""Targets that have a name instead of an address."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from runtime.targets.connector import Connector, Origin
from runtime.targets.resolver import AddressInfo, Resolver, system_look_up
from tests.runtime.targets.servers import (
    HOST,
    LOOPS,
    PATIENCE_S,
    Loop,
    polite,
    site,
    whole,
)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_name_server_that_never_answers_leaves_other_targets_alone(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    system = socket.getaddrinfo

    def look_up(host: Any, *args: Any, **more: Any) -> Any:
        if host == "a.test" and "flags" not in more:  # else an address was expected
            go.wait(PATIENCE_S)
        return system(host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with asyncio.Runner(loop_factory=loop) as runner:
        try:
            runner.run(_served_beside_one_that_hangs())
        finally:
            go.set()


async def _served_beside_one_that_hangs() -> None:
    async with site(polite, host="localhost") as s:
        for _ in range(40):  # more than any pool of threads has
            with pytest.raises(TimeoutError):
                await s.connector.connect(Origin("a.test", 443, tls=True), 0.001)
        assert await whole(await s.ask()) == b"a"


async def test_an_address_that_does_not_work_is_looked_up_again() -> None:
    ports = [1, 1]  # where nobody listens

    def look_up(host: str, port: int) -> list[AddressInfo]:
        found = system_look_up(HOST, port)
        return [(*info[:4], (HOST, ports.pop() if ports else port)) for info in found]

    async with site(polite, host="a.test", resolver=Resolver(look_up)) as s:
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                await s.ask()
        assert await whole(await s.ask()) == b"a"
        assert not ports


async def test_every_address_of_a_name_is_tried() -> None:
    async with site(polite, host="localhost") as s:  # ::1 too, where nobody listens
        assert await whole(await s.ask()) == b"a"


async def test_a_name_that_cannot_be_one() -> None:
    connector = Connector()
    with pytest.raises(UnicodeError):
        await connector.connect(Origin("a" * 70 + ".x", 80, tls=False), PATIENCE_S)
    await connector.close()
