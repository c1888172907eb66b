"""How long the waits of one request may last: the watchdog looks on, and ends one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runtime.gateway import Gateway
from runtime.wire.delivered_tokens import Delivered
from scheduler.replica import Replica


class Patience:
    """What the watchdog sees of a request: ``delivered`` is of the present attempt."""

    def __init__(self, gateway: Gateway, request_id: str) -> None:
        self.delivered = Delivered()
        self.hides_its_start = False  # an answer in one piece, from a replica
        self.replica: Replica | None = None  # of the present attempt
        self.is_lost = False
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
    async def lasting(self) -> AsyncIterator[None]:
        """Inside, the watchdog looks on; TimeoutError when the patience is lost."""
        self.is_lost = False
        self._gateway.watch(self._request_id, self)
        try:
            async with asyncio.timeout(None) as self._timeout:
                yield
        finally:
            self._timeout = None
            self._gateway.unwatch(self._request_id)
