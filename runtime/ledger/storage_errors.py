"""Failures beneath the ledger, in one line for the operator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runtime.errors import LedgerUnavailable


@contextmanager
def explained(name: str) -> Iterator[None]:
    """A failure in here becomes LedgerUnavailable: which ledger, what went wrong, what to do."""
    try:
        yield
    except OSError as error:
        says = (error.strerror or str(error)).lower()
        raise LedgerUnavailable(
            f"ledger {name}: {says}; check the path and its permissions"
        ) from error
    except LedgerUnavailable as error:
        raise LedgerUnavailable(f"ledger {name}: {' '.join(str(error).split())}") from error
