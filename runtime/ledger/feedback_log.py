"""What callers say of the answers to their requests, kept beside the ledger of those requests.

A request is found again by its id, from its rows: hours later, and by another gateway. Nothing of
what was asked or answered is kept, only a score.
"""

from __future__ import annotations

import json
import threading
from typing import NamedTuple

from runtime.errors import LedgerUnavailable
from runtime.ledger.hash_chain import LedgerEntry
from runtime.ledger.rows import Ending
from runtime.ledger.store import Feedback, FeedbackSum, FeedbackWriter, Store
from scheduler.decision import Outcome

# Whose answer a caller can judge: it was whole, or there was enough of it to leave.
_ANSWERED = frozenset({Outcome.OK.value, Outcome.CLIENT_LEFT.value})


class Known(NamedTuple):
    """A request of the ledger. ``answer`` is None while it has none, or where all attempts
    failed."""

    tenant: str
    answer: Answer | None


class Answer(NamedTuple):
    """Which model gave it, and by which task and language that was chosen."""

    model: str
    task: str
    language: str
    ended_ms: int  # unix time


class FeedbackLog:
    """Its calls wait for the disk: they are for threads, of which there may be several."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._writer: FeedbackWriter | None = None
        self._closed = False

    def request(self, request_id: str) -> Known | None:
        """None where the ledger has no such request."""
        with self._store.reading() as reading:
            entries = reading.entries_of(request_id)
        return Known(entries[0].tenant or "", _answer(entries)) if entries else None

    def record(self, row: Feedback) -> Feedback:
        """Records feedback as ``FeedbackWriter.record`` does."""
        with self._lock:
            if self._closed:
                raise LedgerUnavailable
            if self._writer is None:
                self._writer = self._store.feedback_writer()
            return self._writer.record(row)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._writer is not None:
                self._writer.close()


class FeedbackNews:
    """Reads on where it left off, whoever wrote it. Not for two threads at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seq = 0

    def read(self, since_ms: int) -> list[FeedbackSum]:
        """Reads what was said of answers from ``since_ms`` on; what was told is not told again."""
        with self._store.reading() as reading:
            last_seq = reading.last_feedback_seq()
            if last_seq == self._seq:
                return []
            found = reading.feedback_sums(self._seq, since_ms)
        self._seq = last_seq
        return found


def _answer(entries: list[LedgerEntry]) -> Answer | None:
    """Of the last attempt that gave one; each reserve stands before its ending."""
    found: Answer | None = None
    intent: LedgerEntry | None = None
    for entry in entries:
        if entry.kind == "reserve":
            intent = entry
        elif intent is not None and _has_answered(entry):
            task, language = _chosen_by(intent)
            found = Answer(intent.model or "", task, language, entry.at_ms)
    return found


def _has_answered(ending: LedgerEntry) -> bool:
    is_paid = ending.kind == Ending.SETTLE.value
    return is_paid and (ending.outcome or "").partition(":")[0] in _ANSWERED


def _chosen_by(intent: LedgerEntry) -> tuple[str, str]:
    """Where nothing is said, neither was known."""
    told = json.loads(intent.evidence or "{}").get("chosen_by", {})
    return told.get("task", ""), told.get("language", "")
