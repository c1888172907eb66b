"""Every kind of store, and how a test harms one: what is proven of one is proven of all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runtime.ledger.hash_chain import LedgerEntry
from runtime.ledger.ledger import Ledger
from runtime.ledger.sql.sqlite_appender import SqliteAppender


@dataclass(frozen=True)
class Change:
    """One field of one entry, set by hand."""

    seq: int
    field: str
    value: int | str | bytes | None

    def __str__(self) -> str:
        return f"change {self.field} of {self.seq}"


@dataclass(frozen=True)
class Remove:
    seqs: tuple[int, ...]

    def __str__(self) -> str:
        return f"remove {self.seqs}"


@dataclass(frozen=True)
class Swap:
    """Two entries exchange their places, and each keeps its hash."""

    seq: int
    other: int

    def __str__(self) -> str:
        return f"swap {self.seq} and {self.other}"


Edit = Change | Remove | Swap


class StoreKind(Protocol):
    def url(self, folder: Path) -> str:
        """Of a new store, which nobody has made yet."""

    def edit(self, url: str, *edits: Edit) -> None:
        """By somebody with all rights, who puts the rules of the store back afterwards."""

    def insert(self, url: str, entry: LedgerEntry) -> None:
        """With the rules in force; raises ``refusal`` where one forbids it."""

    @property
    def refusal(self) -> type[Exception]: ...

    def fill(self, ledger: Ledger) -> None:
        """From here on this ledger finds no room."""


class Sqlite:
    refusal = sqlite3.IntegrityError

    def url(self, folder: Path) -> str:
        return f"sqlite:///{folder / 'ledger.db'}"

    def edit(self, url: str, *edits: Edit) -> None:
        with self.without_rules(url) as connection:
            for each in edits:
                if isinstance(each, Change):
                    statement = f"UPDATE entries SET {each.field} = ? WHERE seq = ?"  # noqa: S608
                    connection.execute(statement, (each.value, each.seq))
                elif isinstance(each, Remove):
                    rows = [(seq,) for seq in each.seqs]
                    connection.executemany("DELETE FROM entries WHERE seq = ?", rows)
                else:
                    for seq, to in ((each.seq, 0), (each.other, each.seq), (0, each.other)):
                        connection.execute("UPDATE entries SET seq = ? WHERE seq = ?", (to, seq))

    def insert(self, url: str, entry: LedgerEntry) -> None:
        with closing(self._connect(url)) as connection:
            names, marks = ", ".join(LedgerEntry._fields), ", ".join("?" * len(entry))
            statement = f"INSERT INTO entries ({names}) VALUES ({marks})"  # noqa: S608
            connection.execute(statement, entry)

    def fill(self, ledger: Ledger) -> None:
        appender = ledger._writer._appender
        assert isinstance(appender, SqliteAppender)
        appender._connection.exec_driver_sql("PRAGMA max_page_count = 1")
        appender._connection.rollback()

    @contextmanager
    def without_rules(self, url: str) -> Iterator[sqlite3.Connection]:
        with closing(self._connect(url)) as connection:
            rules = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            kept = rules.fetchall()
            for name, _ in kept:
                connection.execute(f"DROP TRIGGER {name}")
            yield connection
            for _, sql in kept:
                connection.execute(sql)
            connection.commit()

    def _connect(self, url: str) -> sqlite3.Connection:
        return sqlite3.connect(url.removeprefix("sqlite:///"))


KINDS: dict[str, StoreKind] = {"sqlite": Sqlite()}
