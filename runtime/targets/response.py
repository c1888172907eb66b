"""A target's answer as it arrives: its status, then its body in the pieces in which it came.

A body can be read, and it can be taken. Reading wakes a task for each piece; for a stream of
tokens that costs more than all that is done with a token. ``take`` is offered a piece on the spot
instead, while a reader waits for one; what it refuses is the reader's, and so is all that follows
until the reader waits again. Nothing is overtaken, and nothing told twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

READ_BUFFER_BYTES = 256 * 1024  # unread, before back pressure reaches the target

Take = Callable[[bytes], bool]


class Broken(ConnectionError):
    """The connection ended before the answer did, or what came was no HTTP."""


class NotSent(Broken):
    """The connection ended before all of the request had left: nobody can have read it whole."""


class Stale(Broken):
    """A kept connection ended as it was used again, before any byte of an answer: most likely the
    target had closed it already, as servers do with idle ones."""


class Response:
    """Written by its ``Connection``; read by one task. ``take`` must not raise."""

    __slots__ = (
        "_expiry",
        "_failure",
        "_is_ended",
        "_is_held",
        "_parts",
        "_size",
        "_transport",
        "_waiter",
        "limits",
        "retry_after",
        "retry_after_ms",
        "status",
        "take",
    )

    def __init__(self, transport: asyncio.Transport) -> None:
        self.status = 0  # 0 until the head has come
        self.retry_after = self.retry_after_ms = b""  # as the head says
        self.limits: dict[bytes, bytes] = {}  # what the head says of each, by the header's name
        self.take: Take | None = None
        self._transport = transport
        self._parts: list[bytes] = []
        self._size = 0  # of the parts
        self._is_held = False  # the target, by back pressure
        self._is_ended = False
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None

    # -- for its reader -----------------------------------------------------------------

    async def head(self) -> int:
        """Waits for the status. Raises Broken or TimeoutError if none comes."""
        while not self.status:
            if self._failure is not None:
                raise self._failure
            await self._more()
        return self.status

    async def read(self) -> bytes:
        """What has arrived since; b"" at the end. Raises Broken or TimeoutError, once all that
        came before the break has been read."""
        while not self._parts:
            if self._failure is not None:
                raise self._failure
            if self._is_ended:
                return b""
            await self._more()
        return self._drained()

    def expire_after(self, seconds: float) -> None:
        """The whole answer must have come by then."""
        self._expiry = asyncio.get_running_loop().call_later(seconds, self._expire)

    def close(self) -> None:
        """Closes an answer that has not come to its end: the target sees its client leave."""
        if not self._is_over():
            self.fail(Broken("closed by its reader"))
            self._transport.abort()

    # -- for its connection -------------------------------------------------------------

    def begin(self, status: int) -> None:
        self.status = status
        self._wake()

    def arrived(self, data: bytes) -> None:
        if self.take is not None and self._waiter is not None and self.take(data):
            return
        self._parts.append(data)
        self._size += len(data)
        self._wake()
        if self._size >= READ_BUFFER_BYTES and not self._is_held:
            self._is_held = True
            self._transport.pause_reading()

    def end(self) -> None:
        self._is_ended = True
        self._finish()

    def fail(self, error: Exception) -> None:
        """No more than the first failure is told."""
        if not self._is_over():
            self._failure = error
            self._finish()

    # -- its own ------------------------------------------------------------------------

    def _is_over(self) -> bool:
        return self._is_ended or self._failure is not None

    def _finish(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        self._wake()

    def _expire(self) -> None:
        self.fail(TimeoutError("the whole answer took too long"))
        self._transport.abort()

    async def _more(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _drained(self) -> bytes:
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        if self._is_held:
            self._is_held = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
        return data
