"""How long the waits of one attempt may last: the watchdog looks on, and ends one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

from runtime.gateway import Gateway
from runtime.wire.delivered_tokens import Delivered
from scheduler.replica import Replica


class Patience:
    """What the watchdog sees of an attempt. ``until_s``, monotonic, is when the time of the whole
    request is up; ``silent_s`` how long the last wait without a word may have been at most."""

    def __init__(self, gateway: Gateway, request_id: str, until_s: float) -> None:
        self.delivered = Delivered()
        self.hides_its_start = False  # an answer in one piece, from a replica
        self.replica: Replica | None = None
        self.is_lost = False  # to a silence, or to the end of this process
        self.is_overdue = False  # the time of the whole request was up
        self.silent_s = 0.0
        self._until_s = until_s
        self._gateway = gateway
        self._request_id = request_id
        self._timeout: asyncio.Timeout | None = None

    @property
    def tokens_out(self) -> int:
        return self.delivered.frames

    @property
    def is_draining(self) -> bool:
        return self._gateway.draining

    def waits_at(self, replica: Replica) -> bool:
        return self.replica == replica and not self.tokens_out

    def stall(self) -> None:
        """Ends whatever is waited for: the target's next bytes, or a client that reads none."""
        if self._timeout is not None and not self.is_lost:
            self.is_lost = True
            self._timeout.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def lasting(self, first_token_s_max: float = inf) -> AsyncIterator[None]:
        """Inside, the watchdog looks on; TimeoutError when the patience is lost, the first token
        has taken too long, or the time of the request is up."""
        self.is_lost = False
        now_s = self._gateway.clock.monotonic_s()
        left_s = self._until_s - now_s
        limit_s = min(first_token_s_max, left_s)
        timeout = self._timeout = asyncio.timeout(None if limit_s == inf else limit_s)
        self._gateway.watchdog.watch(self._request_id, self, now_s)
        try:
            async with timeout:
                yield
        finally:
            self._timeout = None
            self._gateway.watchdog.unwatch(self._request_id)
            if timeout.expired() and not self.is_lost:
                self.is_overdue, self.silent_s = left_s <= first_token_s_max, limit_s
