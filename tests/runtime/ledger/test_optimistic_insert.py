"""A batch is tried as one statement first; what comes of it is the same as row by row.

Over the tables of SQLite: the rules that refuse a batch are theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.ledger.audit import audit
from runtime.ledger.optimistic_insert import AT_ONCE_ROWS_MAX, CAREFUL_BATCHES, OptimisticInsert
from runtime.ledger.rows import Row
from runtime.ledger.sql import sqlite_connection
from runtime.ledger.sql.sqlite_appender import SqliteTables
from runtime.ledger.store import Answer
from tests.runtime.ledger.samples import reserve, settle


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "ledger.db"
    sqlite_connection.create(file)
    return file


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the batches that were looked at row by row."""
    sizes: list[int] = []
    look = OptimisticInsert._looked_at

    def noted(self: OptimisticInsert, rows: list[Row]) -> list[Answer]:
        sizes.append(len(rows))
        return look(self, rows)

    monkeypatch.setattr(OptimisticInsert, "_looked_at", noted)
    return sizes


@contextmanager
def appending(path: Path) -> Iterator[OptimisticInsert]:
    with sqlite_connection.connect(path) as connection:
        yield OptimisticInsert(SqliteTables(connection))


def _same(answer: Answer) -> object:
    return type(answer) if isinstance(answer, ValueError) else answer


def test_only_the_first_batch_is_looked_at(path: Path, looks: list[int]) -> None:
    with appending(path) as appender:
        for number in range(5):
            name = f"r{number}"
            assert appender.append([reserve(name), settle(name)]) == [True, True]
    assert looks == [2]
    assert audit(path).problems == []


def test_the_head_is_known_also_where_nothing_was_written(path: Path, looks: list[int]) -> None:
    with appending(path) as appender:
        assert [_same(each) for each in appender.append([settle("a")])] == [ValueError]
        assert appender.append([reserve("a")]) == [True]
    assert looks == [1]
    assert audit(path).problems == []


def test_a_batch_that_contradicts_is_looked_at(path: Path, looks: list[int]) -> None:
    with appending(path) as appender:
        appender.append([reserve("a")])
        answers = appender.append([reserve("b"), reserve("a"), settle("c"), settle("a")])
        assert [_same(each) for each in answers] == [True, ValueError, ValueError, True]
        assert [_same(each) for each in appender.append([settle("a")])] == [False]
    assert looks == [1, 4, 1]
    assert audit(path).problems == []


def test_after_a_clash_with_another_process_it_is_careful_for_a_while(
    path: Path, looks: list[int]
) -> None:
    with appending(path) as ours, appending(path) as theirs:
        ours.append([reserve("a")])
        theirs.append([reserve("b")])
        looks.clear()
        for number in range(CAREFUL_BATCHES + 3):
            assert ours.append([reserve(f"r{number}")]) == [True]
    assert looks == [1] * CAREFUL_BATCHES
    assert audit(path).problems == []


def test_many_rows_are_looked_at(path: Path, looks: list[int]) -> None:
    with appending(path) as appender:
        appender.append([reserve("a")])
        rows = [reserve(f"r{number}") for number in range(AT_ONCE_ROWS_MAX + 1)]
        assert appender.append(rows) == [True] * len(rows)
    assert looks == [1, AT_ONCE_ROWS_MAX + 1]
    assert audit(path).problems == []


def test_what_is_refused_leaves_nothing_behind(path: Path) -> None:
    with sqlite_connection.connect(path) as connection:
        tables = SqliteTables(connection)
        appender = OptimisticInsert(tables)
        appender.append([reserve("a")])
        assert appender._head is not None
        assert not appender._at_once([reserve("b"), reserve("a")], appender._head)
        assert not tables._driver.in_transaction
        assert tables._driver.execute("SELECT count(*) FROM entries").fetchone() == (1,)


_ROWS = st.builds(
    lambda make, name: make(name), st.sampled_from([reserve, settle]), st.sampled_from("abcd")
)


@settings(max_examples=40, deadline=None)
@given(batches=st.lists(st.lists(_ROWS, min_size=1, max_size=4), min_size=1, max_size=8))
def test_the_answers_are_those_of_looking(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Row]]
) -> None:
    folder = tmp_path_factory.mktemp("ledgers")
    answers = []
    for name in ("tried", "looked"):
        sqlite_connection.create(folder / name)
        with appending(folder / name) as appender:
            told = []
            for batch in batches:
                appender._careful = 0 if name == "tried" else 1
                told.append([_same(each) for each in appender.append(batch)])
            answers.append(told)
        assert audit(folder / name).problems == []
    assert answers[0] == answers[1]
