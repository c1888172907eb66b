"""Appends a batch on the assumption that all is well, and looks only where it was not.

This is the hot path, and every statement costs the writer thread several turns at the interpreter
lock, which a busy event loop is slow to give. So a batch is first tried as one statement, on the
assumption that nobody else has written since and that no row contradicts: the tables refuse it
whole if that is wrong, and then it is looked at row by row.

A row that contradicts the ledger is answered, not written, and the rest of its batch is
committed. The tables refuse the same contradictions again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from runtime.ledger.hash_chain import Head, Values, chained
from runtime.ledger.rows import Reserve, Row
from runtime.ledger.store import Answer

Key = tuple[str, int]

AT_ONCE_ROWS_MAX = 16  # each number of rows is a statement of its own, prepared once and kept
CAREFUL_BATCHES = 16  # after one that was refused: another process is writing, too


@dataclass(slots=True)
class Known:
    """What the ledger holds about the requests of a batch, moved along row by row."""

    head: Head
    reserved: set[Key]
    ended: set[Key]

    def admit(self, row: Row) -> Answer:
        if isinstance(row, Reserve):
            if row.key in self.reserved:
                return ValueError(f"attempt {row.attempt} of {row.request_id} is reserved already")
            self.reserved.add(row.key)
            return True
        if row.key in self.ended:
            return False
        if row.key not in self.reserved:
            return ValueError(f"attempt {row.attempt} of {row.request_id} has no reserve to end")
        self.ended.add(row.key)
        return True


class Tables(Protocol):
    """A store's tables, which hold the rules themselves. Each call may raise LedgerUnavailable."""

    def insert_if_allowed(self, entries: Sequence[Values]) -> bool:
        """Inserts in a transaction of its own. False where a rule refuses: then nothing was
        written."""

    def transaction(self) -> AbstractContextManager[None]:
        """Nobody else writes while it lasts. Durable at its end, undone by an exception."""

    def look(self, request_ids: Iterable[str]) -> Known:
        """The head, and the attempts of these requests."""

    def insert(self, entries: Sequence[Values]) -> None:
        """Inside a transaction, entries that no rule refuses."""


class OptimisticInsert:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._head: Head | None = None  # as this process last left it
        self._careful = 0  # batches that are looked at before the next is tried at once

    def append(self, rows: Sequence[Row]) -> list[Answer]:
        """Appends as ``Appender.append`` does."""
        if self._head is not None and len(rows) <= AT_ONCE_ROWS_MAX and not self._careful:
            if self._at_once(rows, self._head):
                return [True] * len(rows)
            self._careful = CAREFUL_BATCHES
        self._careful = max(0, self._careful - 1)
        return self._looked_at(rows)

    def _at_once(self, rows: Sequence[Row], head: Head) -> bool:
        """False if the tables refused it: then nothing was written."""
        entries = list(chained(rows, head))
        if not self._tables.insert_if_allowed(entries):
            return False
        self._head = _head_of(entries[-1])
        return True

    def _looked_at(self, rows: Sequence[Row]) -> list[Answer]:
        with self._tables.transaction():
            known = self._tables.look({row.request_id for row in rows})
            answers = [known.admit(row) for row in rows]
            written = [row for row, answer in zip(rows, answers, strict=True) if answer is True]
            entries = list(chained(written, known.head))
            for batch in _powers_of_two(entries):
                self._tables.insert(batch)
        self._head = _head_of(entries[-1]) if entries else known.head
        return answers


def _head_of(entry: Values) -> Head:
    seq, chain = entry[0], entry[-1]
    if not isinstance(seq, int) or not isinstance(chain, bytes):
        raise TypeError("an entry begins with its number and ends with its hash")
    return Head(seq, chain)


def _powers_of_two(entries: Sequence[Values]) -> Iterator[Sequence[Values]]:
    """Cut into few sizes, so that each size's statement is prepared once and kept."""
    start = 0
    while left := len(entries) - start:
        size = 1 << (left.bit_length() - 1)
        yield entries[start : start + size]
        start += size
