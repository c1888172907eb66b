"""How long the waits of one attempt may last: the watchdog looks on, and ends one."""

from __future__ import annotations

import asyncio
from math import inf
from types import TracebackType

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
        self.gateway = gateway
        self.request_id = request_id
        self.until_s = until_s
        self.timeout: asyncio.Timeout | None = None  # of the wait that goes on now

    @property
    def tokens_out(self) -> int:
        return self.delivered.frames

    @property
    def is_draining(self) -> bool:
        return self.gateway.draining

    def waits_at(self, replica: Replica) -> bool:
        return self.replica == replica and not self.tokens_out

    def stall(self) -> None:
        """Ends whatever is waited for: the target's next bytes, or a client that reads none."""
        if self.timeout is not None and not self.is_lost:
            self.is_lost = True
            self.timeout.reschedule(asyncio.get_running_loop().time())

    def lasting(self, first_token_s_max: float = inf) -> Wait:
        """Inside, the watchdog looks on; TimeoutError when the patience is lost, the first token
        has taken too long, or the time of the request is up."""
        return Wait(self, first_token_s_max)


class Wait:
    """One wait of an attempt, as a context. A class, because a generator as a context takes as
    long again as all of this."""

    def __init__(self, patience: Patience, first_token_s_max: float) -> None:
        self._patience = patience
        self._first_token_s_max = first_token_s_max

    async def __aenter__(self) -> None:
        patience = self._patience
        patience.is_lost = False
        now_s = patience.gateway.clock.monotonic_s()
        self._left_s = patience.until_s - now_s
        self._limit_s = min(self._first_token_s_max, self._left_s)
        self._timeout = asyncio.timeout(None if self._limit_s == inf else self._limit_s)
        patience.timeout = self._timeout
        patience.gateway.watchdog.watch(patience.request_id, patience, now_s)
        await self._timeout.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        patience = self._patience
        try:
            await self._timeout.__aexit__(kind, error, trace)
        finally:
            patience.timeout = None
            patience.gateway.watchdog.unwatch(patience.request_id)
            if self._timeout.expired() and not patience.is_lost:
                patience.is_overdue = self._left_s <= self._first_token_s_max
                patience.silent_s = self._limit_s
