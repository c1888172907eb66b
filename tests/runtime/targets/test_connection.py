"""What a connection makes of what a target says, and when it may be used again."""

from __future__ import annotations

import asyncio
import socket

import pytest

from runtime.request_limits import LIMITS, refusals
from runtime.targets.connection import Connection
from runtime.targets.response import Broken, NotSent, Stale
from tests.runtime.targets.servers import (
    ASK,
    CHUNKED,
    END,
    LOOPS,
    Loop,
    Talk,
    Visit,
    chunk,
    site,
    sized,
    whole,
)

PROVISIONAL = b"HTTP/1.1 100 Continue\r\n\r\n"


def _says(*answers: bytes, closes: bool = False) -> Talk:
    """Each request gets the next of the answers."""
    left = list(answers)

    async def talk(visit: Visit) -> None:
        while left:
            await visit.asked()
            await visit.say(left.pop(0))
            if closes:
                return
        await visit.reader.read()

    return talk


@pytest.mark.parametrize(
    "answer", [sized(b"a"), CHUNKED + chunk(b"a") + END, PROVISIONAL + sized(b"a")]
)
async def test_a_connection_serves_again(answer: bytes) -> None:
    async with site(_says(*[answer] * 3)) as s:
        for _ in range(3):
            assert await whole(await s.ask()) == b"a"
        assert len(s.visits) == 1


@pytest.mark.parametrize(
    "answer",
    [
        sized(b"a", b"connection: close"),
        b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na",
        sized(b"a") + b"more",
        sized(b"a") + sized(b"b"),  # a second answer to one request
    ],
)
async def test_a_connection_serves_once(answer: bytes) -> None:
    async with site(_says(*[answer] * 2)) as s:
        for _ in range(2):
            assert await whole(await s.ask()) == b"a"
        assert len(s.visits) == 2


async def test_a_body_may_end_with_its_connection() -> None:
    async with site(_says(b"HTTP/1.1 200 OK\r\n\r\nall of it", closes=True)) as s:
        assert await whole(await s.ask()) == b"all of it"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncont",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        CHUNKED + chunk(b"a"),
        CHUNKED + b"5\r\nha",
        PROVISIONAL,
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nx",
    ],
)
async def test_what_is_no_whole_answer_is_broken(answer: bytes) -> None:
    async with site(_says(answer, closes=True)) as s:
        response = await s.ask()
        with pytest.raises(Broken):
            await whole(response)


@pytest.mark.parametrize("line", [b"x-a: b\r\n", b"a"])
async def test_a_head_has_an_end(line: bytes) -> None:
    part = line * 1000
    said = 0

    async def talk(visit: Visit) -> None:
        nonlocal said
        await visit.asked()
        await visit.say(b"HTTP/1.1 200 OK\r\n", b"x-" if line == b"a" else b"")
        while True:
            await visit.say(part)
            said += len(part)
            await asyncio.sleep(0.001)

    async with site(talk) as s:
        response = await s.ask()
        before = refusals["target_head_bytes_max"]
        with pytest.raises(Broken, match="head"):
            await response.head()
        assert refusals["target_head_bytes_max"] == before + 1
    assert said < 4 * LIMITS.target_head_bytes_max


async def test_an_answer_before_the_request_was_heard_ends_the_connection() -> None:
    body = b"x" * 32_000_000  # more than the kernel buffers

    async def talk(visit: Visit) -> None:
        await visit.asked()
        await visit.say(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        await asyncio.sleep(0.1)

    async with site(talk) as s:
        request = b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body)
        response = await s.ask(request + body)
        assert await response.head() == 413
        assert await response.read() == b""
        response = await s.ask()
        await response.head()
        assert len(s.visits) == 2


async def test_what_nobody_asked_for_ends_the_connection() -> None:
    told = asyncio.Event()

    async def talk(visit: Visit) -> None:
        await visit.asked()
        await visit.say(sized(b"a"))
        await asyncio.sleep(0.02)
        await visit.say(sized(b"b"))
        await visit.reader.read()  # until the client has left
        told.set()

    async with site(talk) as s:
        assert await whole(await s.ask()) == b"a"
        await told.wait()
        assert await whole(await s.ask()) == b"a"
        assert len(s.visits) == 2


def _closes_after(*answers: bytes) -> Talk:
    async def talk(visit: Visit) -> None:
        for answer in answers:
            await visit.asked()
            await visit.say(answer)

    return talk


async def _asked_on_a_kept_one(talk: Talk, request: bytes = ASK) -> Broken:
    """What breaks the second request on one connection."""
    async with site(talk) as s:
        connection = await s.connector.connect(s.origin, 1.0)
        await whole(connection.send(ASK))
        response = connection.send(request)
        with pytest.raises(Broken) as caught:
            await response.head()
        return caught.value


@pytest.mark.parametrize(
    ("second", "is_stale"),
    [(b"", True), (b"H", False), (PROVISIONAL, False), (b"HTTP/1.1 200 OK\r\n", False)],
)
async def test_a_kept_connection_that_ends_without_a_byte_was_stale(
    second: bytes, is_stale: bool
) -> None:
    broken = await _asked_on_a_kept_one(_closes_after(sized(b"a"), second))
    assert (type(broken) is Stale) == is_stale
    async with site(_says(b"", closes=True)) as s:  # a new one never is
        with pytest.raises(Broken) as caught:
            await (await s.ask()).head()
        assert type(caught.value) is Broken


async def test_a_kept_connection_that_ends_late_may_have_been_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runtime.targets.connection.STALE_S_MAX", -1.0)
    broken = await _asked_on_a_kept_one(_closes_after(sized(b"a"), b""))
    assert type(broken) is Broken
    # But not where a part of it is still here.
    broken = await _asked_on_a_kept_one(_hears_a_part(sized(b"a")), ASK + MUCH)
    assert type(broken) is Stale


MUCH = b"x" * 32_000_000  # more than the kernel buffers


def _hears_a_part(*answers: bytes) -> Talk:
    """Good answers, and then one request is read in part only."""

    async def talk(visit: Visit) -> None:
        for answer in answers:
            await visit.asked()
            await visit.say(answer)
        await visit.asked()
        visit.writer.transport.abort()

    return talk


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("reads", [True, False])
def test_whether_all_of_a_request_was_sent(loop: Loop, reads: bool) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        broken = runner.run(_broken_after(reads=reads))
    assert type(broken) is (Broken if reads else NotSent)


async def _broken_after(*, reads: bool) -> Broken:
    """Of a request that is more than the kernel takes at once, but not much more."""
    loop = asyncio.get_running_loop()
    here, there = socket.socketpair()
    here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # the least that there can be
    with there:
        there.setblocking(False)
        _, connection = await loop.create_connection(
            lambda: Connection(lambda _: None, lambda _: None), sock=here
        )
        response = connection.send(MUCH[:30_000])
        read = 0
        while reads and read < 30_000:
            read += len(await loop.sock_recv(there, 65_536))
    with pytest.raises(Broken) as caught:
        await response.head()
    return caught.value


async def test_a_connection_that_the_target_ended_is_not_used_again() -> None:
    async with site(_says(sized(b"a"), sized(b"a"), closes=True)) as s:
        for _ in range(2):
            assert await whole(await s.ask(ASK)) == b"a"
            await asyncio.sleep(0.05)
        assert len(s.visits) == 2
