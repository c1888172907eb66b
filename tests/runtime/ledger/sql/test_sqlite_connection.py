from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from runtime.errors import LedgerUnavailable
from runtime.ledger.ledger import Ledger
from runtime.ledger.sql import sqlite_connection
from tests.runtime.ledger.samples import opened, reserve


def test_the_writer_holds_its_pragmas(tmp_path: Path) -> None:
    sqlite_connection.create(tmp_path / "ledger.db")
    with sqlite_connection.connect(tmp_path / "ledger.db") as connection:
        held = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
        }
    assert held == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "recursive_triggers": 1,
    }


def test_a_pragma_that_does_not_hold_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sqlite_connection.WRITER_PRAGMAS, "synchronous", 9)
    with pytest.raises(LedgerUnavailable, match="SQLite holds synchronous at"):
        Ledger.open(tmp_path / "ledger.db", owner="boot-1")


async def test_only_the_owner_of_the_file_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.db"
    with opened(path) as ledger:
        await ledger.reserve(reserve("a"))
        files = [path, *path.parent.glob("ledger.db-*"), *path.parent.glob("*.owners/*")]
        assert len(files) == 4
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def _text(path: Path) -> None:
    path.write_text("SQLite is not what this is. " * 40)


def _other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (id)")


@pytest.mark.parametrize("make", [_text, _other_database, Path.mkdir])
def test_what_is_not_a_ledger_is_left_alone(tmp_path: Path, make: object) -> None:
    path = tmp_path / "ledger.db"
    assert callable(make)
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(LedgerUnavailable) as refused:
        Ledger.open(path, owner="boot-1")
    assert str(refused.value).startswith(f"ledger {path}: ")
    assert "\n" not in str(refused.value)
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert not list(tmp_path.glob("*.owners/*"))


def test_a_folder_that_takes_no_file_is_one_line() -> None:
    with pytest.raises(LedgerUnavailable, match="check the path and its permissions") as refused:
        Ledger.open(Path("/proc/ledger.db"), owner="boot-1")
    assert "\n" not in str(refused.value)


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with opened(path):
        pass
    with (
        sqlite_connection.read_only(path) as connection,
        pytest.raises(DBAPIError, match="readonly"),
    ):
        connection.exec_driver_sql("CREATE TABLE mine (id)")


def test_a_reader_makes_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(LedgerUnavailable, match="there is no such file"),
        sqlite_connection.read_only(tmp_path / "none.db"),
    ):
        pass
    assert not list(tmp_path.iterdir())
