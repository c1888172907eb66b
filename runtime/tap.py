"""A tap on a target's body: what arrives can go on at once, without waking the request's task.

aiohttp hands a body out to a task that waits for it. For a stream of tokens the waiting costs more
than all that is done with a token: a future, a wake-up, a walk down the task's coroutines, a note
of where each transfer chunk ended. An open tap offers what has arrived in a turn of the loop to
``take`` instead, in one piece. What ``take`` refuses goes where it would have gone without a tap,
and so does all that follows, until the reader has read it and opens the tap again.

Measured on the real stack (2 cores, 32 streams, 2026-11-22): 75 → 60 us of the Scheduler's CPU per
chunk, and 8 % more tokens per second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp

Take = Callable[[bytes], bool]


class Tap:
    """Closed at first. ``take`` runs on the loop, outside any task, and must not raise."""

    __slots__ = ("_content", "_is_open", "_loop", "_pending", "_take")

    def __init__(self, content: aiohttp.StreamReader, take: Take) -> None:
        self._content = content
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._pending: list[bytes] = []  # of this turn of the loop
        self._is_open = False
        # The parser goes on feeding the reader that it has made. A kind of its own (an empty body,
        # a later aiohttp's) stays as it is: then everything goes to the reader.
        if type(content) is aiohttp.StreamReader:
            content.__class__ = _TappedReader
            _taps[content] = self

    async def read(self) -> bytes:
        """What ``take`` did not get, as ``readany``: b"" at the end, aiohttp's errors."""
        if buffered := self._content.read_nowait():
            return buffered
        self._is_open = True  # nothing is buffered, so that nothing can be overtaken
        return await self._content.readany()

    def close(self) -> None:
        """For good."""
        self.flush()
        _taps.pop(self._content, None)

    def feed(self, data: bytes) -> bool:
        """False if it is for the reader."""
        if not self._is_open:
            return False
        self._pending.append(data)
        if len(self._pending) == 1:
            self._loop.call_soon(self.flush)
        return True

    def flush(self) -> None:
        if not self._pending:
            return
        arrived = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        self._pending.clear()
        if not self._take(arrived):
            self._is_open = False
            aiohttp.StreamReader.feed_data(self._content, arrived)


class _TappedReader(aiohttp.StreamReader):
    """What an ``aiohttp.StreamReader`` becomes. It has its layout, so its tap is found by it."""

    __slots__ = ()

    def feed_data(self, data: bytes, size: int = 0) -> bool:
        tap = _taps.get(self)
        if tap is not None and tap.feed(data):
            return False
        return super().feed_data(data, size)

    def begin_http_chunk_receiving(self) -> None:
        """Where transfer chunks end is asked by nobody."""

    def end_http_chunk_receiving(self) -> None: ...

    def feed_eof(self) -> None:
        self._flush()
        super().feed_eof()

    def set_exception(self, *args: BaseException) -> None:
        self._flush()
        super().set_exception(*args)

    def _flush(self) -> None:
        """What came before the end is read before the end."""
        if (tap := _taps.get(self)) is not None:
            tap.flush()


_taps: dict[aiohttp.StreamReader, Tap] = {}  # of streams under way
