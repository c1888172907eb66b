from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import LedgerUnavailable
from runtime.ledger.sql.sqlite_appender import SqliteAppender, SqliteTables
from runtime.ledger.sql.sqlite_store import SqliteStore
from tests.runtime.ledger.samples import reserve, settle


@pytest.fixture
def appender(tmp_path: Path) -> Iterator[SqliteAppender]:
    appender = SqliteStore(tmp_path / "ledger.db").appender()
    yield appender
    appender.close()


def _full(*_: Any) -> None:
    raise sqlite3.OperationalError("database or disk is full")


@pytest.mark.parametrize("rows", [1, 17], ids=["at once", "looked at"])
def test_a_failure_of_the_file_is_told(
    appender: SqliteAppender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    appender.append([reserve("a")])
    monkeypatch.setattr(SqliteTables, "insert", _full)
    with pytest.raises(LedgerUnavailable, match="database or disk is full") as refused:
        appender.append([reserve(f"r{number}") for number in range(rows)])
    assert str(refused.value).startswith(f"ledger {tmp_path / 'ledger.db'}: ")


def test_a_transaction_that_fails_is_undone(
    appender: SqliteAppender, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = SqliteTables.insert
    calls = 0

    def second_fails(self: SqliteTables, entries: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            _full()
        insert(self, entries)

    monkeypatch.setattr(SqliteTables, "insert", second_fails)
    with pytest.raises(LedgerUnavailable):
        appender.append([reserve("a"), reserve("b"), reserve("c")])  # as two statements
    assert appender.append([reserve("a"), settle("a")]) == [True, True]
