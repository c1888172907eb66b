"""Look-ups of names: kept, shared, bounded, and none in another's way."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from runtime.request_limits import LIMITS, refusals
from runtime.targets.resolver import (
    FAILED_S,
    FRESH_S,
    HANGS_S,
    STALE_S,
    AddressInfo,
    NameFailure,
    Resolver,
)

PATIENCE_S = 5.0


def _at(address: str) -> list[AddressInfo]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]


@dataclass
class NameServer:
    """Answers with ``says``; a name in ``silent`` has to wait for ``go``."""

    says: list[AddressInfo] | Exception = field(default_factory=lambda: _at("192.0.2.1"))
    silent: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    go: threading.Event = field(default_factory=threading.Event)
    now: float = 1_000.0

    def __call__(self, host: str, port: int) -> list[AddressInfo]:
        self.asked.append(host)
        self.threads.add(threading.current_thread().name)
        assert threading.current_thread().daemon  # one that hangs lets the process end
        if host in self.silent:
            self.go.wait(PATIENCE_S)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


@asynccontextmanager
async def _resolver(server: NameServer) -> AsyncIterator[Resolver]:
    try:
        yield Resolver(server, lambda: server.now)
    finally:
        server.go.set()
        for thread in threading.enumerate():
            if thread.name.startswith("look-up"):
                await asyncio.to_thread(thread.join, PATIENCE_S)


async def test_what_was_found_is_kept_for_a_while() -> None:
    async with _resolver(server := NameServer()) as resolver:
        for _ in range(3):
            assert await resolver.addresses("a", 443) == _at("192.0.2.1")
        server.now += FRESH_S - 0.5
        await resolver.addresses("a", 443)
        assert server.asked == ["a"]


async def test_a_stale_address_is_used_while_it_is_looked_up_again() -> None:
    async with _resolver(server := NameServer()) as resolver:
        await resolver.addresses("a", 443)
        server.now += FRESH_S
        server.says = _at("192.0.2.2")
        server.silent.add("a")
        for _ in range(3):
            assert await resolver.addresses("a", 443) == _at("192.0.2.1")
        assert server.asked == ["a", "a"]
        server.go.set()
        async with asyncio.timeout(PATIENCE_S):
            while await resolver.addresses("a", 443) != _at("192.0.2.2"):
                await asyncio.sleep(0.001)


async def test_a_name_server_that_fails_takes_nobodys_address_away_at_once() -> None:
    async with _resolver(server := NameServer()) as resolver:
        await resolver.addresses("a", 443)
        server.says = OSError("no answer")
        server.now += FRESH_S
        assert await resolver.addresses("a", 443) == _at("192.0.2.1")
        await _until(lambda: not resolver._pending)
        for _ in range(5):
            assert await resolver.addresses("a", 443) == _at("192.0.2.1")
        assert len(server.asked) == 2  # it is not asked again and again
        server.now += STALE_S
        with pytest.raises(OSError, match="no answer"):
            await resolver.addresses("a", 443)


async def test_addresses_that_did_not_work_are_looked_up_again() -> None:
    async with _resolver(server := NameServer()) as resolver:
        await resolver.addresses("a", 443)
        resolver.forget("a", 443)
        resolver.forget("never-asked", 443)
        server.says = _at("192.0.2.2")
        assert await resolver.addresses("a", 443) == _at("192.0.2.2")


async def test_who_asks_for_the_same_name_shares_one_look_up() -> None:
    async with _resolver(server := NameServer(silent={"a"})) as resolver:
        asking = [asyncio.ensure_future(resolver.addresses("a", 443)) for _ in range(20)]
        await _until(lambda: bool(server.asked))
        asking[0].cancel()  # it does not end the others' look-up
        await asyncio.sleep(0)
        server.go.set()
        assert await asyncio.gather(*asking[1:]) == [_at("192.0.2.1")] * 19
        assert server.asked == ["a"]


async def test_a_name_server_that_never_answers_is_in_nobody_elses_way() -> None:
    async with _resolver(server := NameServer(silent={"a"})) as resolver:
        for _ in range(14):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await resolver.addresses("a", 443)
        server.now += HANGS_S
        with pytest.raises(NameFailure, match="2 s"):  # at once
            await resolver.addresses("a", 443)
        assert await resolver.addresses("b", 443) == _at("192.0.2.1")
        assert server.asked == ["a", "b"]
        assert server.threads == {"look-up a", "look-up b"}


async def test_a_failure_is_told_to_those_who_ask_next() -> None:
    async with _resolver(server := NameServer(socket.gaierror(-2, "unknown"))) as resolver:
        for _ in range(3):
            with pytest.raises(OSError, match="unknown"):
                await resolver.addresses("a", 443)
        assert server.asked == ["a"]
        server.now += FAILED_S
        server.says = _at("192.0.2.1")
        assert await resolver.addresses("a", 443) == _at("192.0.2.1")


@pytest.mark.parametrize("says", [[], ValueError("a defect"), UnicodeError("no name")])
async def test_no_address_is_a_failure(says: list[AddressInfo] | Exception) -> None:
    async with _resolver(NameServer(says)) as resolver:
        with pytest.raises((OSError, ValueError)):
            await resolver.addresses("a", 443)


async def test_a_defect_of_a_look_up_leaves_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    async with _resolver(NameServer(KeyError("a defect"))) as resolver:
        with pytest.raises(NameFailure):
            await resolver.addresses("a", 443)


async def test_there_is_a_most_of_look_ups_and_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    few = replace(LIMITS, lookups_max=2, names_max=3)
    monkeypatch.setattr("runtime.targets.resolver.LIMITS", few)
    before = refusals["lookups_max"]
    async with _resolver(server := NameServer(silent={"a", "b"})) as resolver:
        asking = [asyncio.ensure_future(resolver.addresses(name, 443)) for name in "ab"]
        await _until(lambda: len(server.asked) == 2)
        with pytest.raises(NameFailure, match="2 look-ups"):
            await resolver.addresses("c", 443)
        assert refusals["lookups_max"] == before + 1
        server.go.set()
        await asyncio.gather(*asking)
        for name in "cdef":
            await resolver.addresses(name, 443)
        assert len(resolver._known) == 3


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_address_needs_no_look_up(host: str) -> None:
    async with _resolver(server := NameServer()) as resolver:
        assert (await resolver.addresses(host, 80))[0][4][:2] == (host, 80)
        assert not server.asked


async def test_the_systems_own_look_up() -> None:
    async with asyncio.timeout(PATIENCE_S):
        found = await Resolver().addresses("localhost", 80)
    assert {info[4][0] for info in found} & {"127.0.0.1", "::1"}


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.001)
