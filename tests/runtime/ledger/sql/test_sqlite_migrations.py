from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Table, create_engine, inspect

from runtime.errors import LedgerUnavailable
from runtime.ledger.audit import audit
from runtime.ledger.hash_chain import EMPTY, LedgerEntry, chained
from runtime.ledger.ledger import Ledger
from runtime.ledger.rows import Row
from runtime.ledger.sql import schema, sqlite_connection
from runtime.ledger.sql.sqlite_migrations import NAMES, m0001_entries
from tests.runtime.ledger.samples import opened, reserve, settle


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A ledger with one settled and one open attempt."""
    path = tmp_path / "ledger.db"
    with opened(path) as ledger:
        await ledger.reserve(reserve("ended"))
        await ledger.settle(settle("ended"))
        await ledger.reserve(reserve("open"))
    return path


@pytest.fixture
def intruder(path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody who goes past this code, with SQLite's defaults."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA recursive_triggers = OFF")
        yield connection


ENTRY = "INSERT {how} INTO entries SELECT {seq}, {columns} FROM entries WHERE seq = {like}"
COLUMNS = ", ".join(column.name for column in schema.entries.columns if column.name != "seq")
RENAMED = COLUMNS.replace("request_id", "'another'")


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("UPDATE entries SET cost_nano_usd = 0 WHERE seq = 2", "never changed"),
        ("DELETE FROM entries WHERE seq = 3", "never deleted"),
        (ENTRY.format(how="", seq=9, columns=RENAMED, like=1), "takes the next number"),
        (ENTRY.format(how="OR REPLACE", seq=2, columns=RENAMED, like=1), "takes the next number"),
        (ENTRY.format(how="OR REPLACE", seq=4, columns=COLUMNS, like=1), "already reserved"),
        (ENTRY.format(how="OR REPLACE", seq=4, columns=COLUMNS, like=2), "needs an open reserve"),
    ],
)
def test_the_file_itself_refuses(
    intruder: sqlite3.Connection, statement: str, refusal: str
) -> None:
    with pytest.raises(sqlite3.IntegrityError, match=refusal):
        intruder.execute(statement)


@pytest.mark.parametrize(
    ("trigger", "like"), [("reserve_is_new", 1), ("ending_is_due", 2)], ids=["reserve", "ending"]
)
def test_the_indexes_refuse_again(intruder: sqlite3.Connection, trigger: str, like: int) -> None:
    intruder.execute(f"DROP TRIGGER {trigger}")
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        intruder.execute(ENTRY.format(how="", seq=4, columns=COLUMNS, like=like))


def test_types_are_strict(intruder: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="cannot store TEXT"):
        intruder.execute("INSERT INTO entries (seq, attempt) VALUES (4, 'first')")


@pytest.mark.parametrize(
    "table",
    [
        schema.entries,
        schema.open_attempts,
        schema.attempts,
        schema.feedback,
        schema.migrations,
    ],
)
def test_queries_see_the_columns_that_exist(path: Path, table: Table) -> None:
    with sqlite_connection.read_only(path) as connection:
        held = [column["name"] for column in inspect(connection).get_columns(table.name)]
    assert [column.name for column in table.columns] == held


def test_migrations_are_recorded_once(path: Path, intruder: sqlite3.Connection) -> None:
    with opened(path, "boot-2"):
        pass
    assert [name for (name,) in intruder.execute("SELECT name FROM migrations")] == list(NAMES)


def test_a_newer_schema_is_refused(path: Path, intruder: sqlite3.Connection) -> None:
    intruder.execute("INSERT INTO migrations VALUES ('m9999_future', 0)")
    intruder.commit()
    with pytest.raises(LedgerUnavailable, match=r"newer schema \(m9999_future\): upgrade"):
        Ledger.open(path, owner="boot-2")
    with pytest.raises(LedgerUnavailable, match="newer schema"), sqlite_connection.read_only(path):
        pass


def test_a_reader_does_not_migrate(path: Path, intruder: sqlite3.Connection) -> None:
    intruder.execute("DELETE FROM migrations")
    intruder.commit()
    with pytest.raises(LedgerUnavailable, match="older schema"), sqlite_connection.read_only(path):
        pass


OLD_HEAD = "5c9e942ceb1fec0edc97fdf61dae87ccedf31a71e3c2e84612defc1678de41ed"  # of that version


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """As ``path``, left by the first version: its entries have no evidence."""
    path = tmp_path / "old.db"
    rows: list[Row] = [reserve("ended"), settle("ended"), reserve("open")]
    with create_engine(f"sqlite:///{path}").begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE migrations (name TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT"
        )
        m0001_entries(connection)
        connection.exec_driver_sql("INSERT INTO migrations VALUES ('m0001_entries', 0)")
        columns = [name for name in LedgerEntry._fields if name != "evidence"]
        for values in chained(rows, EMPTY):
            told = dict(zip(LedgerEntry._fields, values, strict=True))
            marks = ", ".join("?" * len(columns))
            connection.exec_driver_sql(
                f"INSERT INTO entries ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608
                tuple(told[name] for name in columns),
            )
        assert values[-1] == bytes.fromhex(OLD_HEAD)
    return path


async def test_a_ledger_of_the_first_version_goes_on(old: Path) -> None:
    with pytest.raises(LedgerUnavailable, match="older schema"):
        audit(old)
    with opened(old, "boot-2") as ledger:
        migrated = audit(old)
        assert (migrated.rows, migrated.head) == (3, OLD_HEAD)
        await ledger.reserve(reserve("new", owner="boot-2", evidence='{"form":1}'))
        with ledger.store.reading() as reading:
            assert [entry.evidence for entry in reading.entries()] == [None] * 3 + ['{"form":1}']
    found = audit(old)
    assert (found.ok, found.rows, found.problems) == (True, 4, [])
