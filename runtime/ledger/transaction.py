"""Appends a batch of rows in one transaction, each row with its own answer.

A row that contradicts the ledger is answered, not written, and the rest of its batch is
committed. The tables refuse the same contradictions again.

This is the hot path, and every statement costs the writer thread several turns at the interpreter
lock, which a busy event loop is slow to give. So a batch is first tried as one statement, on the
assumption that nobody else has written since and that no row contradicts: the tables refuse it
whole if that is wrong, and then it is looked at row by row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from sqlalchemy import Connection

from runtime.ledger.chain import COLUMNS, GENESIS, link
from runtime.ledger.rows import Reserve, Row
from runtime.ledger.sqlite import BEGIN

Key = tuple[str, int]
Answer = bool | ValueError  # written; its ending exists already; or why it cannot be written
Entry = tuple[int | str | bytes | None, ...]
Head = tuple[int, bytes]  # number and hash of the newest entry

AT_ONCE_ROWS_MAX = 16  # each number of rows is a statement of its own, prepared once and kept
CAREFUL_BATCHES = 16  # after one that was refused: another process is writing, too

# The newest entry, and every entry of the requests asked about, in one row. Asked apart for
# reserves and endings because each has its own partial index.
_LOOK = """
SELECT newest.seq, newest.chain, (
    SELECT json_group_array(json_array(e.request_id, e.attempt))
    FROM json_each(:ids) AS asked
    JOIN entries AS e ON e.request_id = asked.value AND e.kind = 'reserve'
), (
    SELECT json_group_array(json_array(e.request_id, e.attempt))
    FROM json_each(:ids) AS asked
    JOIN entries AS e ON e.request_id = asked.value AND e.kind <> 'reserve'
)
FROM (SELECT 1) LEFT JOIN (SELECT seq, chain FROM entries ORDER BY seq DESC LIMIT 1) AS newest
"""
_FIELDS = COLUMNS[1:]  # all but seq, which the transaction assigns


class Appender:
    """Over the writer's connection, which it speaks to past SQLAlchemy: a commit of one row takes
    125 us of processor time, 165 where it is looked at, and 260 by way of SQLAlchemy (2 cores,
    2026-11-22).
    """

    def __init__(self, connection: Connection) -> None:
        driver = connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            raise TypeError(f"{type(driver)} is no connection to SQLite")
        self._driver = driver
        self._head: Head | None = None  # as this process last left it
        self._careful = 0  # batches that are looked at before the next is tried at once

    def append(self, rows: Sequence[Row]) -> list[Answer]:
        """Answers in the order of ``rows``. Whatever is answered True is durable.

        Raises what the driver raises; then nothing was written, or nobody knows.
        """
        if self._head is not None and len(rows) <= AT_ONCE_ROWS_MAX and not self._careful:
            if self._at_once(rows, self._head):
                return [True] * len(rows)
            self._careful = CAREFUL_BATCHES
        self._careful = max(0, self._careful - 1)
        return self._looked_at(rows)

    def _at_once(self, rows: Sequence[Row], head: Head) -> bool:
        """False if the tables refused it: then nothing was written."""
        chained = list(_chained(rows, head))
        try:
            _write(self._driver, chained)
        except sqlite3.IntegrityError:
            return False
        self._head = _head_of(chained[-1])
        return True

    def _looked_at(self, rows: Sequence[Row]) -> list[Answer]:
        with _transaction(self._driver) as driver:
            asked = json.dumps(list({row.request_id for row in rows}))
            seq, chain, reserved, ended = driver.execute(_LOOK, {"ids": asked}).fetchone()
            head = (seq or 0, chain or GENESIS)
            known = _Known(reserved, ended)
            answers = [known.admit(row) for row in rows]
            written = [row for row, answer in zip(rows, answers, strict=True) if answer is True]
            chained = list(_chained(written, head))
            for batch in _powers_of_two(chained):
                _write(driver, batch)
        self._head = _head_of(chained[-1]) if chained else head
        return answers


@contextmanager
def _transaction(driver: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    driver.execute(BEGIN)
    try:
        yield driver
        driver.execute("COMMIT")
    except BaseException:
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        raise


class _Known:
    """What the ledger holds about the requests of a batch, moved along row by row."""

    def __init__(self, reserved: str, ended: str) -> None:
        self._reserved: set[Key] = {(key[0], key[1]) for key in json.loads(reserved)}
        self._ended: set[Key] = {(key[0], key[1]) for key in json.loads(ended)}

    def admit(self, row: Row) -> Answer:
        if isinstance(row, Reserve):
            if row.key in self._reserved:
                return ValueError(f"attempt {row.attempt} of {row.request_id} is reserved already")
            self._reserved.add(row.key)
            return True
        if row.key in self._ended:
            return False
        if row.key not in self._reserved:
            return ValueError(f"attempt {row.attempt} of {row.request_id} has no reserve to end")
        self._ended.add(row.key)
        return True


def _chained(rows: Sequence[Row], head: Head) -> Iterator[Entry]:
    """The rows as entries after ``head``."""
    seq, chain = head
    for number, row in enumerate(rows, start=seq + 1):
        facts = (number, *[getattr(row, name, None) for name in _FIELDS])
        chain = link(chain, facts)
        yield (*facts, chain)


def _head_of(entry: Entry) -> Head:
    seq, chain = entry[0], entry[-1]
    if not isinstance(seq, int) or not isinstance(chain, bytes):
        raise TypeError("an entry begins with its number and ends with its hash")
    return seq, chain


def _write(driver: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    values = tuple(value for entry in entries for value in entry)
    driver.execute(_insert(len(entries)), values)


def _powers_of_two(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Cut into few sizes, so that each size's statement is prepared once and kept."""
    start = 0
    while left := len(entries) - start:
        size = 1 << (left.bit_length() - 1)
        yield entries[start : start + size]
        start += size


@cache
def _insert(rows: int) -> str:
    names = (*COLUMNS, "chain")
    one = f"({', '.join('?' * len(names))})"
    return f"INSERT INTO entries ({', '.join(names)}) VALUES {', '.join([one] * rows)}"  # noqa: S608
