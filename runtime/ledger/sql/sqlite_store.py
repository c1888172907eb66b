"""The ledger in one SQLite file, for the gateways of one host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine

from runtime.ledger.lock_files import LockFiles, one_at_a_time
from runtime.ledger.sql import sqlite_connection
from runtime.ledger.sql.feedback_writer import SqlFeedbackWriter
from runtime.ledger.sql.queries import SqlReading
from runtime.ledger.sql.sqlite_appender import SqliteAppender
from runtime.ledger.sql.sqlite_migrations import migrate


class SqliteStore:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = str(path)
        self.liveness = LockFiles(self.host_file("owners"))

    def appender(self) -> SqliteAppender:
        with sqlite_connection.explained(self._path):
            sqlite_connection.create(self._path)
            with one_at_a_time(self.liveness.folder):
                return SqliteAppender(sqlite_connection.connect(self._path), self._path)

    def feedback_writer(self) -> SqlFeedbackWriter:
        with sqlite_connection.explained(self._path):
            connection = sqlite_connection.connect(self._path)
        return SqlFeedbackWriter(connection, lambda: sqlite_connection.explained(self._path))

    @contextmanager
    def reading(self) -> Iterator[SqliteReading]:
        with (
            sqlite_connection.explained(self._path),
            sqlite_connection.read_only(self._path) as connection,
        ):
            yield SqliteReading(connection)

    def host_file(self, what: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{what}")


class SqliteReading(SqlReading):
    def damage(self) -> list[str]:
        told = self._connection.exec_driver_sql("PRAGMA quick_check").scalars()
        damage = [f"file: {says}" for says in told if says != "ok"]
        held, due = _objects(self._connection), _objects_of_a_new_ledger()
        return damage + [
            f"schema: {name} was added, changed or removed"
            for name in sorted(held.keys() | due.keys())
            if held.get(name) != due.get(name)
        ]


def _objects(connection: Connection) -> dict[str, str]:
    query = "SELECT type || ' ' || name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    return {str(name): str(sql) for name, sql in connection.exec_driver_sql(query)}


def _objects_of_a_new_ledger() -> dict[str, str]:
    with create_engine("sqlite+pysqlite://").connect() as connection:
        migrate(connection)
        return _objects(connection)
