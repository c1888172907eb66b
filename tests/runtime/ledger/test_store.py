"""What every store promises about rows, contradictions and the order in which they are seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import LedgerUnavailable
from runtime.ledger.hash_chain import COLUMNS, EMPTY, Head, LedgerEntry, chained
from runtime.ledger.open_store import open_store
from runtime.ledger.rows import Ending, Row
from runtime.ledger.store import Answer, Appender, OpenAttempt, Store
from tests.runtime.ledger.samples import reserve, settle
from tests.runtime.ledger.store_kinds import KINDS, StoreKind


@pytest.fixture
def store(url: str) -> Store:
    return open_store(url)


@pytest.fixture
def appender(store: Store) -> Iterator[Appender]:
    appender = store.appender()
    yield appender
    appender.close()


def _same(answer: Answer) -> object:
    return type(answer) if isinstance(answer, ValueError) else answer


def _entries(store: Store) -> list[LedgerEntry]:
    with store.reading() as reading:
        return list(reading.entries())


def test_entries_are_the_rows_in_their_order_each_linked_to_the_one_before(
    store: Store, appender: Appender
) -> None:
    rows: list[Row] = [reserve("a"), reserve("b"), settle("b"), settle("a", outcome="é\n汉")]
    assert appender.append(rows[:1]) == [True]
    assert appender.append(rows[1:]) == [True, True, True]
    entries = _entries(store)
    assert entries == [LedgerEntry._make(values) for values in chained(rows, EMPTY)]
    assert [entry.seq for entry in entries] == [1, 2, 3, 4]
    for entry, row in zip(entries, rows, strict=True):
        facts = {name: getattr(row, name, None) for name in COLUMNS[1:]}
        assert {name: getattr(entry, name) for name in facts} == facts


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "in a batch"])
@pytest.mark.parametrize(
    ("row", "answer"),
    [
        (reserve("open"), ValueError),
        (reserve("ended"), ValueError),
        (settle("ended", ending=Ending.VOID, cost_nano_usd=0), False),
        (settle("unknown"), ValueError),
        (settle("open", attempt=2), ValueError),
    ],
    ids=["reserved twice", "reserved anew", "ended twice", "never reserved", "another attempt"],
)
def test_a_row_that_contradicts_is_answered_and_nothing_else_suffers(
    store: Store, appender: Appender, row: Row, answer: object, alone: bool
) -> None:
    appender.append([reserve("open"), reserve("ended"), settle("ended")])
    others: list[Row] = [] if alone else [reserve("fine"), settle("open")]
    answers = appender.append([*others[:1], row, *others[1:]])
    assert _same(answers.pop(min(1, len(others)))) == answer
    assert answers == [True] * len(others)
    written = [(entry.request_id, entry.kind) for entry in _entries(store)[3:]]
    assert written == [(each.request_id, each.kind) for each in others]


def test_two_appenders_take_turns_and_share_one_chain(store: Store) -> None:
    one, other = store.appender(), store.appender()
    for number in range(40):  # longer than any of them remembers that it is not alone
        assert one.append([reserve(f"one-{number}")]) == [True]
        assert [_same(each) for each in other.append([reserve(f"one-{number}")])] == [ValueError]
        assert other.append([settle(f"one-{number}"), reserve(f"other-{number}")]) == [True] * 2
        assert one.append([settle(f"one-{number}")]) == [False]
    one.close()
    other.close()
    entries = _entries(store)
    assert [entry.seq for entry in entries] == list(range(1, 121))
    chain = EMPTY.chain
    for entry in entries:
        (linked,) = chained([_row(entry)], Head(entry.seq - 1, chain))
        assert entry == linked
        chain = entry.chain


def _row(entry: LedgerEntry) -> Row:
    made = reserve if entry.kind == "reserve" else settle
    return made(entry.request_id)


def test_a_reading_is_of_one_moment(store: Store, appender: Appender) -> None:
    appender.append([reserve("a")])
    with store.reading() as reading:
        assert reading.last_seq() == 1
        appender.append([settle("a"), reserve("b")])
        assert reading.last_seq() == 1
        assert [entry.seq for entry in reading.entries()] == [1]
        assert [each.request_id for each in reading.open_attempts()] == ["a"]
    with store.reading() as reading:
        assert reading.last_seq() == 3


def test_open_attempts_are_those_without_an_ending(store: Store, appender: Appender) -> None:
    appender.append([reserve(name, owner="boot-1", at_ms=5) for name in "abc"])
    appender.append([reserve("d", owner="boot-2"), settle("b")])
    with store.reading() as reading:
        mine = reading.open_attempts("boot-1")
        assert sorted(mine) == [OpenAttempt(name, 1, "boot-1", 5) for name in "ac"]
        assert len(reading.open_attempts()) == 3
        assert len(reading.open_attempts("boot-1", rows_max=1)) == 1
        assert sorted(reading.owners_of_open_attempts()) == ["boot-1", "boot-2"]


def test_the_newest_reserve_before_a_moment(store: Store, appender: Appender) -> None:
    appender.append([reserve(name, at_ms=at_ms) for name, at_ms in (("a", 10), ("b", 20))])
    appender.append([settle("a", at_ms=5)])
    with store.reading() as reading:
        assert [reading.last_seq_before(at_ms) for at_ms in (10, 11, 20, 21)] == [0, 1, 1, 2]


def test_what_was_written_is_there_when_it_is_opened_again(store: Store) -> None:
    for number in range(3):
        appender = store.appender()
        assert appender.append([reserve(f"r{number}")]) == [True]
        assert [_same(each) for each in appender.append([reserve("r0")])] == [ValueError]
        appender.close()
    assert len(_entries(store)) == 3


def test_a_reader_makes_no_store(store: Store, tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match=f"^ledger {store.name}: "), store.reading():
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("what", ["sequence", "reserve", "ending"])
def test_the_store_itself_refuses_a_contradiction(
    kind: StoreKind, url: str, store: Store, appender: Appender, what: str
) -> None:
    """Also of somebody who goes past this code."""
    appender.append([reserve("a"), settle("a"), reserve("b")])
    head = Head(4 if what == "sequence" else 3, bytes(32))
    rows: dict[str, Row] = {
        "sequence": reserve("c"),
        "reserve": reserve("b"),
        "ending": settle("a"),
    }
    (values,) = chained([rows[what]], head)
    with pytest.raises(kind.refusal):
        kind.insert(url, LedgerEntry._make(values))
    assert len(_entries(store)) == 3


_ROWS = st.builds(
    lambda make, name: make(name), st.sampled_from([reserve, settle]), st.sampled_from("abcd")
)


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=25, deadline=None)
@given(batches=st.lists(st.lists(_ROWS, min_size=1, max_size=6), min_size=1, max_size=6))
def test_however_rows_are_batched_the_answers_are_those_of_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, name: str, batches: list[list[Row]]
) -> None:
    store = open_store(KINDS[name].url(tmp_path_factory.mktemp("ledgers")))
    appender = store.appender()
    reserved, ended, written = set[str](), set[str](), list[tuple[str, str]]()
    for batch in batches:
        expected: list[object] = []
        for row in batch:
            is_reserve, known = row.kind == "reserve", row.request_id in reserved
            if is_reserve == known:
                expected.append(ValueError)
            elif not is_reserve and row.request_id in ended:
                expected.append(False)
            else:
                (reserved if is_reserve else ended).add(row.request_id)
                written.append((row.request_id, row.kind))
                expected.append(True)
        assert [_same(each) for each in appender.append(batch)] == expected
    appender.close()
    assert [(entry.request_id, entry.kind) for entry in _entries(store)] == written
