"""Group commit: one thread takes all rows that wait, commits them at once, and tells who asked.

The longer a flush takes, the more rows share the next one. A commit costs the same processor
time however many rows it holds, so commits keep a small distance: a lone row is written at
once, and under load a row waits a few milliseconds for company. A commit that fails is never
tried again: what the store holds is then unknown until it is opened anew.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

from runtime.errors import LedgerUnavailable
from runtime.ledger.rows import Reserve, Row
from runtime.ledger.store import Answer, Appender

RESERVES_WAITING_MAX = 4096  # eight full batches: beyond it the disk does not keep up
COMMIT_INTERVAL_S = 0.005  # between the end of a commit and the start of the next
BATCH_ROWS_MAX = 512  # bounds what one transaction holds in memory and how long it locks

log = logging.getLogger(__name__)

Waiter = asyncio.Future[bool] | Future[bool]


@dataclass(slots=True)
class Counts:
    """Since the ledger was opened."""

    rows: int = 0
    commits: int = 0
    replays: int = 0  # endings of attempts that had one
    refused: int = 0  # rows that contradict the ledger
    queue_full: int = 0  # reserves refused because RESERVES_WAITING_MAX rows waited


@dataclass(frozen=True, slots=True)
class Ticket:
    """A row on its way. Without a waiter nobody is told, and the row is written all the same."""

    row: Row
    waiter: Waiter | None


class GroupCommit:
    def __init__(self, appender: Appender, name: str) -> None:
        """``name`` is the store's, for the operator."""
        self.counts = Counts()
        self.failure: str | None = None  # for the operator, one line
        self._appender = appender
        self._name = name
        self._waiting: deque[Ticket] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._busy = False
        self._paced = False
        self._committed_s = 0.0  # monotonic
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    def submit(self, tickets: Iterable[Ticket]) -> None:
        """Only reserves can find the queue full: an ending belongs to a reserve that did not,
        and refusing it would leave that attempt open."""
        with self._wake:
            if self.failure is not None or self._closing:
                raise LedgerUnavailable
            for ticket in tickets:
                full = len(self._waiting) >= RESERVES_WAITING_MAX
                if full and isinstance(ticket.row, Reserve):
                    self.counts.queue_full += 1
                    raise LedgerUnavailable
                self._waiting.append(ticket)
            self._wake.notify()

    def idle(self) -> bool:
        """A glance without the lock: a little late is fine."""
        return not self._waiting and not self._busy

    def paced(self) -> bool:
        """Rows wait for company, not for a turn at the interpreter. A glance, too."""
        return self._paced

    def fail(self, why: str) -> None:
        """Takes no more rows. ``why`` is a line for the operator."""
        with self._wake:
            self.failure = why
        log.critical("%s", self.failure)

    def close(self) -> None:
        """Writes what waits, then lets go of the store."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        batch: Sequence[Ticket] = ()
        try:
            while batch := self._next_batch():
                self._commit(batch)
                self._committed_s = time.monotonic()
        except LedgerUnavailable as error:
            self.fail(str(error))
        finally:
            # Also when this thread ends by a defect: nobody may wait for a dead thread.
            self._abandon(batch)
            self._appender.close()

    def _next_batch(self) -> Sequence[Ticket]:
        with self._wake:
            while not self._waiting and not self._closing:
                self._busy = False
                self._wake.wait()
            self._busy = True
        early_s = self._committed_s + COMMIT_INTERVAL_S - time.monotonic()
        if early_s > 0 and not self._closing:
            self._paced = True
            time.sleep(early_s)
            self._paced = False
        with self._wake:
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_ROWS_MAX))]

    def _commit(self, batch: Sequence[Ticket]) -> None:
        answers = self._appender.append([ticket.row for ticket in batch])
        self.counts.commits += 1
        for answer in answers:
            if answer is True:
                self.counts.rows += 1
            elif answer is False:
                self.counts.replays += 1
            else:
                self.counts.refused += 1
                log.error("ledger refused a row: %s", answer)
        _tell(batch, answers)

    def _abandon(self, batch: Sequence[Ticket]) -> None:
        with self._wake:
            if not self._closing and self.failure is None:
                self.failure = f"ledger {self._name}: its writer died of a defect; see the log"
            lost = [*batch, *self._waiting]
            self._waiting.clear()
            self._busy = False
        _tell(lost, [LedgerUnavailable() for _ in lost])


def _tell(batch: Sequence[Ticket], answers: Sequence[Answer | LedgerUnavailable]) -> None:
    """One wake-up per event loop, however many of its tasks wait."""
    told: dict[asyncio.AbstractEventLoop, list[tuple[Waiter, Answer | LedgerUnavailable]]] = {}
    for ticket, answer in zip(batch, answers, strict=True):
        if isinstance(ticket.waiter, Future):
            _resolve([(ticket.waiter, answer)])
        elif ticket.waiter is not None:
            told.setdefault(ticket.waiter.get_loop(), []).append((ticket.waiter, answer))
    for loop, answered in told.items():
        with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            loop.call_soon_threadsafe(_resolve, answered)


def _resolve(answered: Iterable[tuple[Waiter, Answer | LedgerUnavailable]]) -> None:
    for waiter, answer in answered:
        if waiter.done():  # cancelled while its row was being written
            continue
        if isinstance(answer, bool):
            waiter.set_result(answer)
        else:
            waiter.set_exception(answer)
