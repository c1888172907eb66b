"""The writing thread over an appender that does as it is told."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future

import pytest

from runtime.errors import LedgerUnavailable
from runtime.ledger.group_commit import BATCH_ROWS_MAX, GroupCommit, Ticket
from runtime.ledger.rows import Row
from runtime.ledger.store import Answer
from tests.runtime.ledger.samples import reserve

WAIT_S = 10  # for what comes at once


class Scripted:
    """Holds each commit until it is let go; then does what ``ends`` says."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.batches: list[list[str]] = []
        self.ends: Exception | None = None
        self.closed = False

    def append(self, rows: Sequence[Row]) -> list[Answer]:
        self.batches.append([row.request_id for row in rows])
        self.begun.release()
        assert self.go.acquire(timeout=WAIT_S)
        if self.ends is not None:
            raise self.ends
        return [True] * len(rows)

    def close(self) -> None:
        self.closed = True


def _submit(writer: GroupCommit, *names: str) -> list[Future[bool]]:
    waiters: list[Future[bool]] = [Future() for _ in names]
    writer.submit(Ticket(reserve(n), w) for n, w in zip(names, waiters, strict=True))
    return waiters


def test_nobody_is_told_before_the_commit_is_done() -> None:
    appender = Scripted()
    writer = GroupCommit(appender, "x")
    (waiter,) = _submit(writer, "a")
    assert appender.begun.acquire(timeout=WAIT_S)
    assert not waiter.done()
    assert not writer.idle()
    appender.go.release()
    assert waiter.result(WAIT_S)
    writer.close()
    assert appender.closed


def test_rows_that_come_during_a_commit_share_the_next_one() -> None:
    appender = Scripted()
    writer = GroupCommit(appender, "x")
    _submit(writer, "a")
    assert appender.begun.acquire(timeout=WAIT_S)
    names = [f"r{number}" for number in range(BATCH_ROWS_MAX + 1)]
    *_, last = _submit(writer, *names)
    for _ in range(3):
        appender.go.release()
    assert last.result(WAIT_S)
    assert appender.batches == [["a"], names[:BATCH_ROWS_MAX], names[BATCH_ROWS_MAX:]]
    assert (writer.counts.rows, writer.counts.commits) == (BATCH_ROWS_MAX + 2, 3)
    writer.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("ends", "failure"),
    [
        (LedgerUnavailable("ledger x: the disk is full"), "ledger x: the disk is full"),
        (RuntimeError("a defect"), "ledger x: its writer died of a defect; see the log"),
    ],
    ids=["the store fails", "a defect"],
)
def test_a_writer_that_ends_leaves_nobody_waiting(ends: Exception, failure: str) -> None:
    """Neither those whose rows it held nor those behind them, and nobody comes after."""
    appender = Scripted()
    writer = GroupCommit(appender, "x")
    held = _submit(writer, "a")
    assert appender.begun.acquire(timeout=WAIT_S)
    behind = _submit(writer, "b", "c")
    appender.ends = ends
    appender.go.release()
    for waiter in (*held, *behind):
        error = waiter.exception(WAIT_S)
        assert isinstance(error, LedgerUnavailable)
        assert str(error) == LedgerUnavailable.says
    assert writer.failure == failure
    with pytest.raises(LedgerUnavailable):
        _submit(writer, "d")
    assert appender.batches == [["a"]]
    writer.close()
    assert appender.closed
