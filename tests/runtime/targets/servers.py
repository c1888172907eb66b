"""Raw servers for the client's tests: what they say is given byte by byte."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvloop

from runtime.targets.connector import Connector, Origin
from runtime.targets.resolver import Resolver
from runtime.targets.response import Response

HOST = "127.0.0.1"
ANY = "0.0.0.0"  # noqa: S104 -- 127.0.0.2 too
ASK = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
PATIENCE_S = 5.0

Talk = Callable[["Visit"], Awaitable[None]]
Loop = Callable[[], asyncio.AbstractEventLoop]

LOOPS = (asyncio.new_event_loop, uvloop.new_event_loop)
CERTIFICATE = Path(__file__).parent / "tls" / "localhost.pem"  # its own issuer; with its key


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def sized(body: bytes, *headers: bytes) -> bytes:
    lines = b"".join(each + b"\r\n" for each in headers)
    return b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\n\r\n%b" % (lines, len(body), body)


@dataclass
class Visit:
    """One connection, seen from the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def asked(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def say(self, *writes: bytes) -> None:
        for write in writes:
            self.writer.write(write)
            await self.writer.drain()
            await asyncio.sleep(0)


async def polite(visit: Visit) -> None:
    """A good answer to every request."""
    while await visit.asked():
        await visit.say(sized(b"a"))


@dataclass
class Site:
    """The server, and a connector to it."""

    origin: Origin
    connector: Connector
    visits: list[Visit]

    async def ask(self, request: bytes = ASK) -> Response:
        connection = await self.connector.connect(self.origin, PATIENCE_S)
        return connection.send(request)


@asynccontextmanager
async def site(
    talk: Talk,
    host: str = HOST,
    certificate: Path | None = None,
    trusts: ssl.SSLContext | None = None,
    resolver: Resolver | None = None,
) -> AsyncIterator[Site]:
    """Every connection is talked to by ``talk``, and closed when that returns.

    With a certificate it speaks TLS; ``trusts`` is the client's context.
    """
    visits: list[Visit] = []
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = Visit(reader, writer)
        visits.append(visit)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await talk(visit)
        with suppress(ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, ANY, 0, ssl=tls)
    connector = Connector(trusts, resolver)
    try:
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(PATIENCE_S):
            yield Site(Origin(host, port, tls=tls is not None), connector, visits)
    finally:
        await connector.close()
        server.close()
        for visit in visits:
            visit.writer.close()
            with suppress(OSError):
                await visit.writer.wait_closed()


async def whole(response: Response) -> bytes:
    parts = []
    await response.head()
    while part := await response.read():
        parts.append(part)
    return b"".join(parts)
