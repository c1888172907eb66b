"""Connections to SQLite: how a ledger file is created, opened, checked, and how it fails.

Durability rests on pragmas, and builds differ in their defaults: they are set on each
connection and read back, and a connection that does not hold them is refused.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from runtime.errors import LedgerUnavailable
from runtime.ledger.sql.sqlite_migrations import APPLICATION_ID, migrate, require_current
from runtime.ledger.storage_errors import explained as plainly_explained

BUSY_TIMEOUT_MS = 10_000  # several gateways take turns, a few ms each; longer means stuck

# What is set, and what SQLite answers when asked. 2 is FULL: every commit is flushed.
WRITER_PRAGMAS: dict[str, str | int] = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "recursive_triggers": 1,
    "trusted_schema": 0,
    "busy_timeout": BUSY_TIMEOUT_MS,
}
BEGIN = "BEGIN IMMEDIATE"  # the write lock at the start: two writers never meet half-way
READER_PRAGMAS: dict[str, str | int] = {"query_only": 1, "busy_timeout": BUSY_TIMEOUT_MS}

_CAUSES = {
    sqlite3.SQLITE_FULL: "the disk is full; free space, then restart",
    sqlite3.SQLITE_READONLY: "it is read-only; make the file and its folder writable",
    sqlite3.SQLITE_IOERR: "the disk failed a read, write or flush; check it, then restart",
    sqlite3.SQLITE_BUSY: f"another process held it for {BUSY_TIMEOUT_MS} ms; find and end it",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore it from a backup",
    sqlite3.SQLITE_NOTADB: "it is not a ledger; name another file",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check the path and its permissions",
}


def create(path: Path) -> None:
    """Make the file, for its owner only. Its entry in the folder is as durable as its rows."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def connect(path: Path) -> Connection:
    """The writer's connection, migrated. Each transaction takes the write lock at its start."""
    with ExitStack() as undo:
        connection = _engine(path, "rw", WRITER_PRAGMAS, BEGIN).connect()
        undo.callback(connection.close)
        migrate(connection)
        undo.pop_all()
    return connection


@contextmanager
def read_only(path: Path) -> Iterator[Connection]:
    """A connection inside one transaction: everything it reads is of one moment."""
    if not path.is_file():
        raise LedgerUnavailable("there is no such file")
    with _engine(path, "ro", READER_PRAGMAS, "BEGIN").connect() as connection:
        require_current(connection)
        yield connection


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Explains failures as ``runtime.ledger.storage_errors`` does, and what SQLite raises as
    well."""
    with plainly_explained(str(path)):
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            raise LedgerUnavailable(cause(error)) from error


def cause(error: DBAPIError | sqlite3.Error) -> str:
    """What went wrong and what to do."""
    raised = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    code = getattr(raised, "sqlite_errorcode", sqlite3.SQLITE_OK)
    known = _CAUSES.get(code & 0xFF)  # the low byte: extended codes refine it
    return known or str(raised)


def _engine(path: Path, mode: str, pragmas: dict[str, str | int], begin: str) -> Engine:
    def open_file() -> sqlite3.Connection:
        # isolation_level None: the driver begins nothing by itself, ``begin`` does.
        # One connection is used by one thread at a time, though not by the one that opened it.
        address = f"{path.absolute().as_uri()}?mode={mode}"
        with ExitStack() as undo:
            connection = sqlite3.connect(
                address, uri=True, isolation_level=None, check_same_thread=False
            )
            undo.callback(connection.close)
            _require_ledger(connection, new_is_fine=mode == "rw")
            _hold(connection, pragmas)
            undo.pop_all()
        return connection

    engine = create_engine("sqlite+pysqlite://", creator=open_file, poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _require_ledger(connection: sqlite3.Connection, *, new_is_fine: bool) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    is_new = application_id == 0 and objects == 0
    if application_id != APPLICATION_ID and not (is_new and new_is_fine):
        raise LedgerUnavailable(_CAUSES[sqlite3.SQLITE_NOTADB])


def _hold(connection: sqlite3.Connection, pragmas: dict[str, str | int]) -> None:
    for name, wanted in pragmas.items():
        with closing(connection.execute(f"PRAGMA {name} = {wanted}")) as cursor:
            cursor.fetchall()
        (held,) = connection.execute(f"PRAGMA {name}").fetchone()
        if held != wanted:
            raise LedgerUnavailable(f"SQLite holds {name} at {held}, not {wanted}")
