"""Parts of a body written past ASGI reach the client as if they had been sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from starlette.types import Message, Receive, Scope, Send

from runtime.edge.body_writer import UvicornBodyWriter, body_writer
from runtime.edge.private_server import PrivateServer

HOST = "127.0.0.1"
START: Message = {"type": "http.response.start", "status": 200, "headers": []}
SIZED: Message = {**START, "headers": [(b"content-length", b"2")]}
LAST: Message = {"type": "http.response.body", "body": b"", "more_body": False}
PART = b"a" * 65_536
PARTS_MAX = 1_000  # far more than any socket buffers

Work = Callable[[Send, UvicornBodyWriter], Awaitable[None]]


@asynccontextmanager
async def _served(work: Work) -> AsyncIterator[tuple[str, aiohttp.ClientSession, asyncio.Event]]:
    """uvicorn with an app that does this; the event says that it has ended."""
    ended = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        writer = body_writer(send)
        assert writer is not None
        try:
            await work(send, writer)
        finally:
            ended.set()

    server = PrivateServer(app, HOST)
    await server.start()
    async with aiohttp.ClientSession() as session:
        yield f"http://{HOST}:{server.port}/", session, ended
    await server.stop()


async def test_parts_come_in_order_between_those_that_were_sent() -> None:
    async def work(send: Send, writer: UvicornBodyWriter) -> None:
        await send(START)
        assert writer.write(b"a")
        await send({"type": "http.response.body", "body": b"b", "more_body": True})
        assert writer.write(b"c")
        await send(LAST)

    async with _served(work) as (url, session, _), session.get(url) as response:
        assert await response.read() == b"abc"


async def test_nothing_is_written_before_the_start_or_into_a_body_of_known_length() -> None:
    async def work(send: Send, writer: UvicornBodyWriter) -> None:
        assert not writer.write(b"a")
        await send(SIZED)
        assert not writer.write(b"a")
        await send({"type": "http.response.body", "body": b"bc"})

    async with _served(work) as (url, session, _), session.get(url) as response:
        assert await response.read() == b"bc"


async def test_what_is_sent_together_arrives_together() -> None:
    async def work(send: Send, writer: UvicornBodyWriter) -> None:
        with writer.together():
            await send(START)
            await asyncio.sleep(0.02)
            assert writer.write(b"a")
        await send(LAST)

    async with _served(work) as (url, _, _ended):
        _, _, port = url.strip("/").rpartition(":")
        reader, writer = await asyncio.open_connection(HOST, int(port))
        writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        first = await reader.read(65_536)
        assert first.startswith(b"HTTP/1.1 200")
        assert b"1\r\na\r\n" in first
        writer.close()
        await writer.wait_closed()


async def test_a_client_that_does_not_read_is_not_written_to() -> None:
    written: list[int] = []

    async def work(send: Send, writer: UvicornBodyWriter) -> None:
        await send(START)
        written.append(0)
        while writer.write(PART) and written[0] < PARTS_MAX:
            written[0] += 1
        await send({"type": "http.response.body", "body": b"b", "more_body": False})

    async with _served(work) as (url, session, _), session.get(url) as response:
        body = await response.read()
    assert written[0] < PARTS_MAX
    assert len(body) == written[0] * len(PART) + 1


async def test_a_client_that_has_left_is_not_written_to() -> None:
    left: list[bool] = []

    async def work(send: Send, writer: UvicornBodyWriter) -> None:
        await send(START)
        async with asyncio.timeout(5):
            while writer.write(b"a"):
                await asyncio.sleep(0.005)
        left.append(True)

    async with _served(work) as (url, session, ended):
        response = await session.get(url)
        await response.content.readany()
        response.close()
        await ended.wait()
    assert left == [True]


async def test_a_client_that_left_before_the_start_breaks_nothing() -> None:
    written: list[bool] = []

    async def work(send: Send, writer: UvicornBodyWriter) -> None:
        async with asyncio.timeout(5):
            while not writer._cycle.disconnected:
                await asyncio.sleep(0.005)
        with writer.together():
            await send(START)
            written.append(writer.write(b"a"))

    async with _served(work) as (url, session, ended):
        asking = asyncio.create_task(session.get(url))
        await asyncio.sleep(0.05)
        asking.cancel()
        await ended.wait()
    assert written == [False]


def test_another_server_has_no_such_way() -> None:
    async def send(message: Message) -> None: ...

    assert body_writer(send) is None
