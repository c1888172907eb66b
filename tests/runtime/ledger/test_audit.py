from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runtime.ledger import audit as audit_file
from runtime.ledger.audit import audit
from runtime.ledger.chain import COLUMNS, link
from runtime.ledger.rows import Ending, UsageSource
from tests.runtime.ledger.samples import opened, reserve, settle


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Twenty attempts of two tenants, the last two of them open."""
    path = tmp_path / "ledger.db"
    with opened(path) as ledger:
        for n in range(20):
            bound_nano = 10**n if n < 18 else 5_000
            tenant = ("acme", "globex")[n % 2]
            await ledger.reserve(reserve(f"r{n}", tenant=tenant, bound_nano_usd=bound_nano))
            if n < 18:
                await ledger.settle(settle(f"r{n}", cost_nano_usd=10**n))
    return path


def test_an_honest_ledger_is_ok(path: Path) -> None:
    found = audit(path)
    assert (found.ok, found.chain_intact, found.problems) == (True, True, [])
    assert (found.rows, found.total_nano_usd) == (38, int("1" * 18))
    assert found.by_tenant == {"acme": int("01" * 9), "globex": int("10" * 9)}
    assert sum(found.by_model.values()) == sum(found.by_target.values()) == found.total_nano_usd
    assert (found.open_reserves, found.open_reserves_live, found.open_reserves_dead) == (2, 0, 2)


async def test_an_expired_attempt_is_in_doubt_up_to_its_bound(path: Path) -> None:
    with opened(path, "boot-2") as ledger:
        await ledger.settle(settle("r18", ending=Ending.EXPIRE, cost_nano_usd=0))
        found = audit(path)
    assert (found.ok, found.expired, found.doubt_nano_usd) == (True, 1, 5_000)
    assert (found.open_reserves_live, found.open_reserves_dead) == (0, 1)


@pytest.mark.parametrize("source", [*UsageSource, "frames"])
async def test_a_purchase_whose_tokens_nobody_told_is_in_doubt_up_to_its_bound(
    path: Path, source: str
) -> None:
    with opened(path, "boot-2") as ledger:
        await ledger.settle(settle("r18", cost_nano_usd=1_000, usage_source=source))
        await ledger.reserve(reserve("local", owner="boot-2", bound_nano_usd=None))
        await ledger.settle(settle("local", cost_nano_usd=1_000, usage_source=source))
        found = audit(path)
    assert found.ok
    in_doubt = source in ("estimate", "none", "frames")
    assert (found.estimated, found.doubt_nano_usd) == ((1, 4_000) if in_doubt else (0, 0))


async def test_a_cost_above_its_bound_is_a_problem(path: Path) -> None:
    with opened(path, "boot-2") as ledger:
        await ledger.settle(settle("r18", cost_nano_usd=5_001))
        await ledger.settle(settle("r19", cost_nano_usd=5_000))
        found = audit(path)
    assert not found.ok
    assert found.problems == [
        "entry 39: it costs 5001 nano-USD, more than the bound of its reserve, 5000"
    ]


def _tamper(path: Path, *statements: str) -> None:
    """Drop the rules, do it, and put the rules back as they were."""
    with closing(sqlite3.connect(path)) as connection:
        rules = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        kept = rules.fetchall()
        for name, _ in kept:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in kept:
            connection.execute(sql)
        connection.commit()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET cost_nano_usd = 1 WHERE seq = 6",
        "UPDATE entries SET tenant = 'globex' WHERE seq = 5",
        "UPDATE entries SET at_ms = at_ms + 1 WHERE seq = 38",
        "UPDATE entries SET chain = zeroblob(32) WHERE seq = 7",
        "DELETE FROM entries WHERE seq IN (9, 10)",
        "DELETE FROM entries WHERE seq = 1",
        "UPDATE entries SET seq = seq + 100 WHERE seq = 38",
    ],
)
def test_tampering_breaks_the_chain(path: Path, statement: str) -> None:
    _tamper(path, statement)
    found = audit(path)
    assert not found.ok
    assert not found.chain_intact


def test_a_cut_tail_shows_against_a_noted_head(path: Path) -> None:
    head = audit(path).head
    _tamper(path, "DELETE FROM entries WHERE seq = 38", "DELETE FROM open_attempts")
    assert audit(path).head != head


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


def test_many_problems_are_counted_and_the_first_are_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_file, "PROBLEMS_MAX", 2)
    _tamper(path, "UPDATE entries SET at_ms = 0")
    found = audit(path)
    assert (len(found.problems), found.problem_count) == (2, 38)


def test_a_gap_shows_even_where_the_chain_was_made_anew(path: Path) -> None:
    """Who can cut the newest entries off can also write one behind the gap."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        last = connection.execute("SELECT * FROM entries WHERE seq = 38").fetchone()
        values = [40 if name == "seq" else last[name] for name in COLUMNS]
        ((before,),) = connection.execute("SELECT chain FROM entries WHERE seq = 37").fetchall()
    chain = link(before, values).hex()
    _tamper(path, f"UPDATE entries SET seq = 40, chain = x'{chain}' WHERE seq = 38")  # noqa: S608
    found = audit(path)
    assert not found.chain_intact
    assert found.problems == ["entry 40: it or an entry before it was changed or removed"]
