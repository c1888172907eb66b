"""A stream's way past ASGI: one write to the connection for each part of a body.

An ASGI ``send`` is a coroutine, and each layer around a server adds one more for every part. Under
uvicorn, which Serve uses and so do we, a part of a chunked body is one write to the transport.
Under any other server there is no such way, and ``send`` is used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

SERVER_SEND = "baseload.server_send"  # in a scope: the server's own ``send``, where it was wrapped


class UvicornBodyWriter:
    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is sent inside leaves when it ends, in one write: the client is woken once. An
        answer must not end inside."""
        cycle = self._cycle
        transport, gathered = cycle.transport, _Gathered()
        cycle.transport = gathered
        try:
            yield
        finally:
            cycle.transport = transport
            if gathered.parts and not transport.is_closing():
                transport.write(b"".join(gathered.parts))

    def write(self, part: bytes) -> bool:
        """A part of a body that goes on. False if nothing was written: then ``send`` it."""
        cycle = self._cycle
        if (
            cycle.flow.write_paused
            or cycle.disconnected
            or not (cycle.response_started and cycle.chunked_encoding)
        ):
            return False
        cycle.transport.write(b"%x\r\n%b\r\n" % (len(part), part))
        return True


class _Gathered(asyncio.Transport):
    """Stands for a connection while what it is to write is gathered."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.parts.append(bytes(data))


def body_writer(send: Send) -> UvicornBodyWriter | None:
    """The writer for the server's own ``send``; None under another server."""
    cycle = getattr(send, "__self__", None)
    return UvicornBodyWriter(cycle) if isinstance(cycle, RequestResponseCycle) else None
