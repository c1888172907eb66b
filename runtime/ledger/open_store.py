"""Which store a URL means."""

from __future__ import annotations

from pathlib import Path

from runtime.errors import LedgerUnavailable
from runtime.ledger.store import Store

SQLITE = "sqlite:///"  # a fourth slash begins an absolute path


def open_store(url: str | Path) -> Store:
    """``sqlite:///FILE``, or just the file. Nothing is made or read yet.

    Raises LedgerUnavailable for a kind of store that there is not.
    """
    text = str(url)
    if text.startswith(SQLITE):
        text = text.removeprefix(SQLITE)
        if not text:
            raise LedgerUnavailable(f"{url} names no file: write {SQLITE}FILE")
    elif "://" in text:
        kind = text.partition("://")[0]  # never the rest of it, which may hold a password
        raise LedgerUnavailable(f"a ledger cannot be kept in {kind}: write {SQLITE}FILE")
    # Only the kind that is asked for is loaded: a command that opens none need not wait for it.
    from runtime.ledger.sql.sqlite_store import SqliteStore

    return SqliteStore(Path(text))
