"""Listens to the load stream of one replica, which says what it does and that it lives.

A replica that falls silent answers nobody, and its connections do not say so: what waits there for
its first token is sent elsewhere at once, not after the minutes that a first token may take. One
that is taken off the list gets no more work, but may be finishing what it has: it is listened to
for as long as a request waits there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Protocol

from runtime.targets.upstream import Upstream
from runtime.wire.load_report import decode_load
from scheduler.replica import LoadReport, Replica

REPORT_SILENCE_S_MAX = 5.0  # heartbeats come every 0.5 s
RESUBSCRIBE_S = 0.2

log = logging.getLogger("baseload.membership")


class Listener(Protocol):
    """Who is told."""

    def joined(self, replica: Replica, upstream: Upstream) -> None: ...

    def left(self, replica: Replica) -> None: ...

    def reported(self, report: LoadReport) -> None: ...

    def is_awaited(self, replica: Replica) -> bool:
        """Whether a request waits there for its first token."""
        ...

    def forsake(self, replica: Replica) -> None:
        """Nothing more is to be expected of it: who waits there for a first token must not."""
        ...


class Follower:
    """Its task ends when the replica is off the list and nobody waits for it."""

    def __init__(self, replica: Replica, upstream: Upstream, listener: Listener) -> None:
        self._replica = replica
        self._upstream = upstream
        self._listener = listener
        self.is_listed = True
        self._is_open = False  # the stream
        self._task: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        name = f"follow {self._replica.replica_id}"
        self._task = asyncio.get_running_loop().create_task(self._run(), name=name)
        return self._task

    def delist(self) -> bool:
        """Whether it is still needed; if not, it has ended."""
        if self.is_listed:
            self.is_listed = False
            self._listener.left(self._replica)
        if self._listener.is_awaited(self._replica):
            return True
        if self._task is not None:
            self._task.cancel()
        return False

    def enlist(self) -> None:
        if not self.is_listed:
            self.is_listed = True
            if self._is_open:
                self._listener.joined(self._replica, self._upstream)

    async def _run(self) -> None:
        is_broken = False  # since it was last heard
        while self.is_listed or self._listener.is_awaited(self._replica):
            try:
                async with self._upstream.subscribe("/load", REPORT_SILENCE_S_MAX) as lines:
                    is_broken = False
                    await self._listen(lines)
                    return
            except OSError as error:
                log.warning("replica %s: load stream lost (%s)", self._replica.replica_id, error)
                # A stream that just broke may come back; whoever's connection broke with it knows.
                if is_broken or isinstance(error, TimeoutError) or not self.is_listed:
                    self._listener.forsake(self._replica)
                is_broken = True
            finally:
                self._is_open = False
                self._listener.left(self._replica)
            await asyncio.sleep(RESUBSCRIBE_S)

    async def _listen(self, lines: AsyncIterator[bytes]) -> None:
        """Returns when there is no more to hear: not listed, and not awaited."""
        self._is_open = True
        if self.is_listed:
            self._listener.joined(self._replica, self._upstream)
        async for line in lines:
            if self.is_listed:
                if report := decode_load(line, self._replica):
                    self._listener.reported(report)
            elif not self._listener.is_awaited(self._replica):
                return
