"""What the file itself refuses of feedback, also from somebody who goes past this code."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.runtime.ledger.samples import opened
from tests.runtime.ledger.test_feedback_log import WORD

COPY = (
    "INSERT INTO feedback SELECT {seq}, 'x', tenant, model, task, language, {score}, at_ms, "
    "answered_ms FROM feedback"
)


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("UPDATE feedback SET score = 1", "never changed"),
        ("DELETE FROM feedback", "never deleted"),
        ("INSERT OR REPLACE INTO feedback SELECT * FROM feedback", "first word"),
        (COPY.format(seq=2, score=0.5).replace("'x'", "request_id"), "first word"),
        (COPY.format(seq=9, score=0.5), "next number"),
        (COPY.format(seq=2, score=1.5), "CHECK constraint"),
    ],
)
def test_the_file_itself_refuses(tmp_path: Path, statement: str, refusal: str) -> None:
    path = tmp_path / "ledger.db"
    with opened(path) as ledger:
        ledger.feedback.record(WORD)
    with (
        closing(sqlite3.connect(path)) as intruder,
        pytest.raises(sqlite3.IntegrityError, match=refusal),
    ):
        intruder.execute(statement)
