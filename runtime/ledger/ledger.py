"""The ledger of a gateway process: reserve before any work, exactly one ending per attempt.

It refuses to go on after a failed commit: a request that cannot be billed is not started.
``LedgerUnavailable`` from ``open`` tells the operator what to do; from the calls that serve
requests it tells the caller nothing but that, and ``failure`` holds the operator's line.
"""

from __future__ import annotations

import asyncio
import atexit
import time
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import select

from runtime.errors import LedgerUnavailable
from runtime.ledger import sqlite
from runtime.ledger.group_commit import COMMIT_INTERVAL_S, Counts, Ticket, Writer
from runtime.ledger.owners import Owners
from runtime.ledger.rows import Ending, Reserve, Settle
from runtime.ledger.schema import open_attempts

# A busy event loop lets go of the interpreter lock only for system calls too short for another
# thread to wake up in, and each one restarts that thread's wait for its turn: the writer could
# starve for seconds. Once rows wait this long, the loop sleeps now and then to give it turns.
GIVE_WAY_AFTER_S = 0.008
GIVE_WAY_EVERY_S = 0.0005
GIVE_WAY_S = 0.00005

SWEEP_ROWS_MAX = 1000  # expired at once; more follow in the same sweep


class Ledger:
    def __init__(self, path: Path, owner: str, held: int, writer: Writer) -> None:
        """Use ``open``."""
        self.path = path
        self.owner = owner
        self._owners = Owners(path)
        self._held = held
        self._writer = writer
        self._closed = False
        self._gives_way: asyncio.AbstractEventLoop | None = None
        atexit.register(self.close)

    @classmethod
    def open(cls, path: Path, *, owner: str) -> Ledger:
        """Create or migrate the file, and prove that it can be written durably."""
        owners = Owners(path)
        with sqlite.explained(path):
            sqlite.create(path)
            with owners.alone(), ExitStack() as undo:
                held = owners.claim(owner)
                undo.callback(owners.release, owner, held)
                connection = sqlite.connect(path)
                undo.pop_all()
        return cls(path, owner, held, Writer(connection, path))

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

    async def settle(self, row: Settle) -> bool:
        """True if this row became the ending, False if there was one. Durable on return."""
        return await self._ask(row)

    def settle_detached(self, row: Settle) -> None:
        """For a task that may not wait any more. Only a crash or a failed disk loses the row,
        and then the sweep ends its attempt."""
        self._writer.submit([Ticket(row, None)])

    def sweep(self) -> int:
        """End the open attempts of dead owners; returns how many this call ended."""
        if not self.healthy():
            raise LedgerUnavailable
        ended = 0
        for owner in self._owners_of_open_attempts():
            if self._owners.alive(owner):
                continue
            while expired := self._expire(self._open_rows(owner)):
                ended += expired
            self._owners.forget(owner)
        return ended

    def close(self) -> None:
        """Write what waits and let go. What is still open can then be swept by others."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        self._writer.close()
        self._owners.release(self.owner, self._held)

    async def _ask(self, row: Reserve | Settle) -> bool:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        self._writer.submit([Ticket(row, waiter)])
        if self._gives_way is not loop:
            self._gives_way = loop
            loop.call_later(GIVE_WAY_AFTER_S, self._give_way, loop)
        return await waiter

    def _give_way(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._writer.idle():
            self._gives_way = None
        elif self._writer.paced():
            loop.call_later(COMMIT_INTERVAL_S, self._give_way, loop)
        else:
            time.sleep(GIVE_WAY_S)
            loop.call_later(GIVE_WAY_EVERY_S, self._give_way, loop)

    def _owners_of_open_attempts(self) -> list[str]:
        with sqlite.reading(self.path) as connection:
            return list(connection.execute(select(open_attempts.c.owner).distinct()).scalars())

    def _open_rows(self, owner: str) -> list[Settle]:
        query = select(open_attempts).where(open_attempts.c.owner == owner).limit(SWEEP_ROWS_MAX)
        now_ms = time.time_ns() // 1_000_000
        with sqlite.reading(self.path) as connection:
            return [
                _expiry(found.request_id, found.attempt, found.reserved_at_ms, now_ms)
                for found in connection.execute(query)
            ]

    def _expire(self, rows: list[Settle]) -> int:
        waiters: list[Future[bool]] = [Future() for _ in rows]
        self._writer.submit(Ticket(row, waiter) for row, waiter in zip(rows, waiters, strict=True))
        return sum(waiter.result() for waiter in waiters)


def _expiry(request_id: str, attempt: int, reserved_at_ms: int, now_ms: int) -> Settle:
    return Settle(
        request_id=request_id,
        attempt=attempt,
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
        e2e_ms=max(0, now_ms - reserved_at_ms),
    )
