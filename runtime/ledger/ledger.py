"""The ledger of a gateway process: reserve before any work, exactly one ending per attempt.

It refuses to go on after a failed commit: a request that cannot be billed is not started.
``LedgerUnavailable`` from ``open`` tells the operator what to do; from the calls that serve
requests it tells the caller nothing but that, and ``failure`` holds the operator's line.
"""

from __future__ import annotations

import asyncio
import atexit
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path

from runtime.clock import SYSTEM, Clock
from runtime.errors import LedgerUnavailable
from runtime.ledger.feedback_log import FeedbackLog
from runtime.ledger.group_commit import Counts, GroupCommit, Ticket
from runtime.ledger.liveness import Claim
from runtime.ledger.open_store import open_store
from runtime.ledger.rows import Ending, Reserve, Settle
from runtime.ledger.storage_errors import explained
from runtime.ledger.store import OpenAttempt, Store
from runtime.ledger.yield_to_writer import GivingWay

SWEEP_ROWS_MAX = 1000  # expired at once; more follow in the same sweep


class Ledger:
    def __init__(
        self, store: Store, owner: str, claim: Claim, writer: GroupCommit, clock: Clock
    ) -> None:
        """Use ``open``."""
        self.store = store
        self.owner = owner
        self.feedback = FeedbackLog(store)
        self._claim = claim
        self._writer = writer
        self._clock = clock
        self._giving_way = GivingWay(writer)
        self._closed = False
        atexit.register(self.close)

    @classmethod
    def open(cls, url: str | Path, *, owner: str, clock: Clock = SYSTEM) -> Ledger:
        """Make the store or bring it to this version, and prove that it can be written durably.

        ``url`` is ``sqlite:///FILE`` or just the file (``open_store``)."""
        store = open_store(url)
        with ExitStack() as undo:
            with explained(store.name):
                claim = store.liveness.claim(owner)
            undo.callback(claim.end)
            appender = store.appender()
            undo.pop_all()
        return cls(store, owner, claim, GroupCommit(appender, store.name), clock)

    @property
    def counts(self) -> Counts:
        return self._writer.counts

    @property
    def failure(self) -> str | None:
        """Why the ledger is not healthy, in one line for the operator."""
        return self._writer.failure

    def healthy(self) -> bool:
        return self._writer.failure is None and not self._closed

    async def reserve(self, row: Reserve) -> None:
        """Returns once the intent is durable. An attempt can be reserved once: ValueError.

        Cancelled while it waits, the row is written all the same: end it with a void.
        """
        if row.owner != self.owner:
            raise ValueError(f"owner {self.owner!r} cannot reserve for {row.owner!r}")
        await self._ask(row)

    async def refuse(self, intent: Reserve, ending: Settle) -> None:
        """Both rows of a refusal, which has no work between them. Durable on return."""
        await self._ask(intent, ending)

    async def settle(self, row: Settle) -> bool:
        """True if this row became the ending, False if there was one. Durable on return."""
        return await self._ask(row)

    def settle_detached(self, row: Settle) -> None:
        """Settles for a task that may not wait any more. Only a crash or a failed disk loses the
        row, and then the sweep ends its attempt."""
        self._writer.submit([Ticket(row, None)])

    def sweep(self) -> int:
        """Say that this owner lives, and end the open attempts of those that do not; returns how
        many this call ended."""
        if not self.healthy():
            raise LedgerUnavailable
        self._renew()
        ended = 0
        for owner in self._dead_owners():
            while expired := self._expire(self._open_rows(owner)):
                ended += expired
            with explained(self.store.name):
                self.store.liveness.forget(owner)
        return ended

    def close(self) -> None:
        """Write what waits and let go. What is still open can then be swept by others."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        self._writer.close()
        self.feedback.close()
        self._claim.end()

    async def _ask(self, *rows: Reserve | Settle) -> bool:
        """The answer to the last of them, before which the others are written."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        *first, last = rows
        self._writer.submit([*(Ticket(row, None) for row in first), Ticket(last, waiter)])
        self._giving_way.begin(loop)
        return await waiter

    def _renew(self) -> None:
        try:
            with explained(self.store.name):
                self._claim.renew()
        except LedgerUnavailable as error:  # others take it for dead, and end its attempts
            self._writer.fail(str(error))
            raise

    def _dead_owners(self) -> list[str]:
        with self.store.reading() as reading:
            owners = reading.owners_of_open_attempts()
        with explained(self.store.name):
            return [owner for owner in owners if not self.store.liveness.is_alive(owner)]

    def _open_rows(self, owner: str) -> list[Settle]:
        now_ms = self._clock.unix_ms()
        with self.store.reading() as reading:
            return [_expiry(each, now_ms) for each in reading.open_attempts(owner, SWEEP_ROWS_MAX)]

    def _expire(self, rows: list[Settle]) -> int:
        waiters: list[Future[bool]] = [Future() for _ in rows]
        self._writer.submit(Ticket(row, waiter) for row, waiter in zip(rows, waiters, strict=True))
        return sum(waiter.result() for waiter in waiters)


def _expiry(left: OpenAttempt, now_ms: int) -> Settle:
    return Settle(
        request_id=left.request_id,
        attempt=left.attempt,
        at_ms=now_ms,
        ending=Ending.EXPIRE,
        outcome="owner_died",
        prompt_tokens=None,
        cached_tokens=None,
        completion_tokens=None,
        cost_nano_usd=0,
        usage_source="none",
        derivation="nobody measured it; at most the bound of the reserve",
        held_ms=0,
        ttft_ms=None,
        e2e_ms=max(0, now_ms - left.reserved_at_ms),
    )
