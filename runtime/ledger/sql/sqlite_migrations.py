"""The shape of a SQLite file, as numbered steps that are recorded by name and never edited.

What must hold is declared here rather than trusted to the writer: one reserve and one ending
per attempt, no ending without a reserve, entries in sequence, no UPDATE, no DELETE. The checks
before an insert also stop INSERT OR REPLACE, which would delete without a delete trigger.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Connection, insert, inspect, select

from runtime.errors import LedgerUnavailable
from runtime.ledger.sql.schema import migrations

APPLICATION_ID = 0x42534C44  # "BSLD" in the file's header: this file is a ledger

_ENTRIES = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('reserve', 'settle', 'void', 'expire')),
    at_ms INTEGER NOT NULL,
    owner TEXT, tenant TEXT, feature TEXT, task TEXT, model TEXT, target TEXT, reason TEXT,
    price_id TEXT,
    prompt_tokens_est INTEGER,
    output_tokens_max INTEGER,
    bound_nano_usd INTEGER CHECK (bound_nano_usd >= 0),
    outcome TEXT,
    prompt_tokens INTEGER,
    cached_tokens INTEGER,
    completion_tokens INTEGER,
    cost_nano_usd INTEGER CHECK (cost_nano_usd >= 0),
    usage_source TEXT,
    derivation TEXT,
    held_ms INTEGER,
    ttft_ms INTEGER,
    e2e_ms INTEGER,
    chain BLOB NOT NULL CHECK (length(chain) = 32),
    CHECK ((kind = 'reserve') = (owner IS NOT NULL)),
    CHECK ((kind = 'reserve') = (cost_nano_usd IS NULL))
) STRICT
"""

_OPEN_ATTEMPTS = """
CREATE TABLE open_attempts (
    request_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    owner TEXT NOT NULL,
    reserved_at_ms INTEGER NOT NULL,
    PRIMARY KEY (request_id, attempt)
) STRICT, WITHOUT ROWID
"""

_ATTEMPTS = """
CREATE VIEW attempts AS
SELECT r.request_id, r.attempt, r.at_ms AS reserved_at_ms, r.owner, r.tenant, r.feature,
       r.task, r.model, r.target, r.reason, r.price_id, r.bound_nano_usd,
       e.kind AS ending, e.at_ms AS ended_at_ms, e.outcome, e.prompt_tokens, e.cached_tokens,
       e.completion_tokens, e.cost_nano_usd, e.usage_source, e.derivation, e.held_ms,
       e.ttft_ms, e.e2e_ms
FROM entries AS r
LEFT JOIN entries AS e
    ON e.request_id = r.request_id AND e.attempt = r.attempt AND e.kind <> 'reserve'
WHERE r.kind = 'reserve'
"""

_INDEXES = (
    "CREATE UNIQUE INDEX one_reserve ON entries (request_id, attempt) WHERE kind = 'reserve'",
    "CREATE UNIQUE INDEX one_ending ON entries (request_id, attempt) WHERE kind <> 'reserve'",
)

_TRIGGERS = (
    """
    CREATE TRIGGER entries_in_sequence BEFORE INSERT ON entries
    WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM entries)
    BEGIN SELECT RAISE(ABORT, 'ledger: an entry takes the next number'); END
    """,
    """
    CREATE TRIGGER reserve_is_new BEFORE INSERT ON entries
    WHEN NEW.kind = 'reserve' AND EXISTS (
        SELECT 1 FROM entries WHERE kind = 'reserve'
        AND request_id = NEW.request_id AND attempt = NEW.attempt)
    BEGIN SELECT RAISE(ABORT, 'ledger: the attempt is already reserved'); END
    """,
    """
    CREATE TRIGGER ending_is_due BEFORE INSERT ON entries
    WHEN NEW.kind <> 'reserve' AND NOT EXISTS (
        SELECT 1 FROM open_attempts
        WHERE request_id = NEW.request_id AND attempt = NEW.attempt)
    BEGIN SELECT RAISE(ABORT, 'ledger: an ending needs an open reserve'); END
    """,
    """
    CREATE TRIGGER reserve_opens AFTER INSERT ON entries WHEN NEW.kind = 'reserve'
    BEGIN
        INSERT INTO open_attempts VALUES (NEW.request_id, NEW.attempt, NEW.owner, NEW.at_ms);
    END
    """,
    """
    CREATE TRIGGER ending_closes AFTER INSERT ON entries WHEN NEW.kind <> 'reserve'
    BEGIN
        DELETE FROM open_attempts WHERE request_id = NEW.request_id AND attempt = NEW.attempt;
    END
    """,
    """
    CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'ledger: entries are never changed'); END
    """,
    """
    CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'ledger: entries are never deleted'); END
    """,
)

_FEEDBACK = """
CREATE TABLE feedback (
    seq INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    model TEXT NOT NULL,
    task TEXT NOT NULL,
    language TEXT NOT NULL,
    score REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
    at_ms INTEGER NOT NULL,
    answered_ms INTEGER NOT NULL
) STRICT
"""

_FEEDBACK_TRIGGERS = (
    """
    CREATE TRIGGER feedback_in_sequence BEFORE INSERT ON feedback
    WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM feedback)
    BEGIN SELECT RAISE(ABORT, 'feedback: a row takes the next number'); END
    """,
    """
    CREATE TRIGGER feedback_is_new BEFORE INSERT ON feedback
    WHEN EXISTS (SELECT 1 FROM feedback WHERE request_id = NEW.request_id)
    BEGIN SELECT RAISE(ABORT, 'feedback: the first word on a request counts'); END
    """,
    """
    CREATE TRIGGER feedback_no_update BEFORE UPDATE ON feedback
    BEGIN SELECT RAISE(ABORT, 'feedback: rows are never changed'); END
    """,
    """
    CREATE TRIGGER feedback_no_delete BEFORE DELETE ON feedback
    BEGIN SELECT RAISE(ABORT, 'feedback: rows are never deleted'); END
    """,
)


def m0001_entries(connection: Connection) -> None:
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    for statement in (_ENTRIES, _OPEN_ATTEMPTS, _ATTEMPTS, *_INDEXES, *_TRIGGERS):
        connection.exec_driver_sql(statement)


def m0002_evidence(connection: Connection) -> None:
    """Earlier entries have none, and their hashes stay what they are."""
    connection.exec_driver_sql("ALTER TABLE entries ADD COLUMN evidence TEXT")


def m0003_feedback(connection: Connection) -> None:
    for statement in (_FEEDBACK, *_FEEDBACK_TRIGGERS):
        connection.exec_driver_sql(statement)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    m0001_entries,
    m0002_evidence,
    m0003_feedback,
)
NAMES = tuple(step.__name__ for step in MIGRATIONS)


def migrate(connection: Connection) -> None:
    """Bring the file to this version, in one transaction."""
    with connection.begin():
        if not inspect(connection).has_table(migrations.name):
            connection.exec_driver_sql(
                "CREATE TABLE migrations (name TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT"
            )
        recorded = _recorded(connection)
        for step in MIGRATIONS[len(recorded) :]:
            step(connection)
            at_ms = time.time_ns() // 1_000_000
            connection.execute(insert(migrations).values(name=step.__name__, at_ms=at_ms))


def require_current(connection: Connection) -> None:
    """Refuses another schema, for readers, which may not migrate."""
    if _recorded(connection) != NAMES:
        raise LedgerUnavailable("it has an older schema: start the gateway once to migrate it")


def _recorded(connection: Connection) -> tuple[str, ...]:
    names = tuple(
        connection.execute(select(migrations.c.name).order_by(migrations.c.name)).scalars()
    )
    if names != NAMES[: len(names)]:
        unknown = sorted(set(names) - set(NAMES))
        raise LedgerUnavailable(f"it has a newer schema ({', '.join(unknown)}): upgrade Baseload")
    return names
