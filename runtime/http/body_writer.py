"""A stream's way past ASGI: one write to the connection for each part of a body.

An ASGI ``send`` is a coroutine, and each layer around a server adds one more for every part. Under
uvicorn, which Serve uses and so do we, a part of a chunked body is one write to the transport.
Under any other server there is no such way, and ``send`` is used.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_INTERNET = (socket.AF_INET, socket.AF_INET6)
SERVER_SEND = "baseload.server_send"  # in a scope: the server's own ``send``, where it was wrapped


class BodyWriter:
    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is sent inside leaves when it ends: the client is woken once, not for each part."""
        self._cork(1)
        try:
            yield
        finally:
            self._cork(0)

    def _cork(self, on: int) -> None:
        transport = self._cycle.transport
        connection = None if transport.is_closing() else transport.get_extra_info("socket")
        if connection is not None and connection.family in _INTERNET:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, on)

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


def body_writer(send: Send) -> BodyWriter | None:
    """For the server's own ``send``; None under another server."""
    cycle = getattr(send, "__self__", None)
    return BodyWriter(cycle) if isinstance(cycle, RequestResponseCycle) else None
