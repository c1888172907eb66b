"""How rows get into a SQLite file: the driver's side of the optimistic insert."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from runtime.errors import LedgerUnavailable
from runtime.ledger.hash_chain import EMPTY, Head, LedgerEntry, Values
from runtime.ledger.optimistic_insert import Known, OptimisticInsert
from runtime.ledger.rows import Row
from runtime.ledger.sql.sqlite_connection import BEGIN, cause
from runtime.ledger.store import Answer

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


class SqliteAppender:
    """An ``Appender`` over the writer's connection, which it owns."""

    def __init__(self, connection: Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._insert = OptimisticInsert(SqliteTables(connection))

    def append(self, rows: Sequence[Row]) -> list[Answer]:
        try:
            return self._insert.append(rows)
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"ledger {self._path}: {cause(error)}") from error

    def close(self) -> None:
        with suppress(SQLAlchemyError):  # a broken file cannot even be rolled back
            self._connection.close()


class SqliteTables:
    """Speaks to the connection past SQLAlchemy: a commit of one row takes 125 us of processor time,
    165 where it is looked at, and 260 by way of SQLAlchemy (2 cores, 2026-11-22). Raises what the
    driver raises."""

    def __init__(self, connection: Connection) -> None:
        driver = connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            raise TypeError(f"{type(driver)} is no connection to SQLite")
        self._driver = driver

    def insert_if_allowed(self, entries: Sequence[Values]) -> bool:
        try:
            self.insert(entries)
        except sqlite3.IntegrityError:
            return False
        return True

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._driver.execute(BEGIN)
        try:
            yield
            self._driver.execute("COMMIT")
        except BaseException:
            if self._driver.in_transaction:
                self._driver.execute("ROLLBACK")
            raise

    def look(self, request_ids: Iterable[str]) -> Known:
        asked = {"ids": json.dumps(list(request_ids))}
        seq, chain, reserved, ended = self._driver.execute(_LOOK, asked).fetchone()
        head = EMPTY if seq is None else Head(seq, chain)
        return Known(
            head, set(map(tuple, json.loads(reserved))), set(map(tuple, json.loads(ended)))
        )

    def insert(self, entries: Sequence[Values]) -> None:
        """One statement, which is a transaction where there is none."""
        values = tuple(value for entry in entries for value in entry)
        self._driver.execute(_insert(len(entries)), values)


@cache
def _insert(rows: int) -> str:
    one = f"({', '.join('?' * len(LedgerEntry._fields))})"
    return (
        f"INSERT INTO entries ({', '.join(LedgerEntry._fields)}) VALUES {', '.join([one] * rows)}"  # noqa: S608
    )
