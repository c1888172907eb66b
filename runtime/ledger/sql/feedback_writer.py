"""How feedback gets into a SQL database: one row at a time, on a connection of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from runtime.ledger.sql.schema import feedback
from runtime.ledger.store import Feedback

_KEPT = select(*(feedback.c[name] for name in Feedback._fields))
_NEXT = select(func.coalesce(func.max(feedback.c.seq), 0) + 1).scalar_subquery()


class SqlFeedbackWriter:
    """A ``FeedbackWriter`` over a connection that it owns, whose transactions take the write lock
    at their start."""

    def __init__(
        self, connection: Connection, explained: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._connection = connection
        self._explained = explained

    def record(self, row: Feedback) -> Feedback:
        of_request = _KEPT.where(feedback.c.request_id == row.request_id)
        with self._explained(), self._connection.begin():
            earlier = self._connection.execute(of_request).one_or_none()
            if earlier is not None:
                return Feedback._make(earlier)
            self._connection.execute(insert(feedback).values(seq=_NEXT, **row._asdict()))
        return row

    def close(self) -> None:
        with suppress(SQLAlchemyError):
            self._connection.close()
