"""What an audit finds of a SQLite file itself: its rules, its indexes, the view that is read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runtime.ledger.audit import audit
from tests.runtime.ledger.samples import opened, reserve, settle
from tests.runtime.ledger.store_kinds import Sqlite


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Twenty attempts of two tenants, the last two of them open."""
    path = tmp_path / "ledger.db"
    with opened(path) as ledger:
        for n in range(20):
            await ledger.reserve(reserve(f"r{n}", tenant=("acme", "globex")[n % 2]))
            if n < 18:
                await ledger.settle(settle(f"r{n}"))
    return path


def _tamper(path: Path, *statements: str) -> None:
    """Drop the rules, do it, and put the rules back as they were."""
    with Sqlite().without_rules(f"sqlite:///{path}") as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        (["DELETE FROM open_attempts"], "open attempts: their index differs"),
        (["DROP INDEX one_ending"], "schema: index one_ending was added, changed or removed"),
        (["CREATE TABLE extra (id)"], "schema: table extra was added, changed or removed"),
    ],
)
def test_a_rule_that_is_gone_is_named(path: Path, statements: list[str], problem: str) -> None:
    _tamper(path, *statements)
    found = audit(path)
    assert (found.ok, found.chain_intact) == (False, True)
    assert any(told.startswith(problem) for told in found.problems)


def test_a_second_ending_is_no_conservation(path: Path) -> None:
    _tamper(
        path,
        "DROP INDEX one_ending",
        "INSERT INTO entries (seq, request_id, attempt, kind, at_ms, cost_nano_usd, chain)"
        " SELECT 39, request_id, attempt, kind, at_ms, cost_nano_usd, chain"
        " FROM entries WHERE seq = 4",
    )
    problems = audit(path).problems
    assert "entry 39: an ending of ('r1', 1), which is not open" in problems
    assert "conservation: the sum by tenant is not the total" in problems


def test_a_view_that_lies_is_caught(path: Path) -> None:
    """Reports read the view; the audit reads the entries."""
    with closing(sqlite3.connect(path)) as connection:
        (view,) = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'attempts'"
        ).fetchone()
        connection.execute("DROP VIEW attempts")
        connection.execute(view.replace("e.cost_nano_usd", "e.cost_nano_usd / 2 AS cost_nano_usd"))
        connection.commit()
    problems = audit(path).problems
    assert "report: its costs by tenant differ from the entries" in problems
    assert any(told.startswith("report: its total is") for told in problems)
