"""The queries of a ledger, in SQLAlchemy's words: every SQL database answers them alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from runtime.ledger.hash_chain import LedgerEntry
from runtime.ledger.rows import NO_TARGET, UNTOLD, Ending
from runtime.ledger.sql.schema import attempts, entries, feedback, open_attempts
from runtime.ledger.store import (
    Attempt,
    Exposure,
    Exposures,
    FeedbackSum,
    OpenAttempt,
    StoredPurchase,
    TargetUse,
    UsageSum,
)
from scheduler.target import TargetKind

_ENTRY = [entries.c[name] for name in LedgerEntry._fields]  # a table's columns are in order of age
_a = attempts.c
_f = feedback.c
DAY_MS = 86_400_000
_COUNTED = (_a.prompt_tokens, _a.cached_tokens, _a.completion_tokens, _a.cost_nano_usd)

_reserves, _endings = entries.alias("r"), entries.alias("e")
_r, _e = _reserves.c, _endings.c
_SAME = and_(_e.request_id == _r.request_id, _e.attempt == _r.attempt, _e.kind != "reserve")
_FACTS = (_r.seq, _r.request_id, _r.attempt, _r.tenant, _r.at_ms, _r.bound_nano_usd)
_PURCHASES = (
    select(*_FACTS, _e.kind, _e.cost_nano_usd)
    .select_from(_reserves.outerjoin(_endings, _SAME))
    .where(_r.kind == "reserve", _r.target.startswith(TargetKind.OFFER.prefix, autoescape=True))
    .order_by(_r.seq)
)


class SqlReading:
    """A ``Reading`` over a connection that is inside one transaction, but for ``damage``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def last_seq(self) -> int:
        query = select(func.coalesce(func.max(entries.c.seq), 0))
        return int(self._connection.execute(query).scalar_one())

    def entries(self) -> Iterator[LedgerEntry]:
        query = select(*_ENTRY).order_by(entries.c.seq)
        return map(LedgerEntry._make, self._connection.execute(query))

    def entries_of(self, request_id: str) -> list[LedgerEntry]:
        """Asked apart for reserves and endings because each has its own partial index."""
        kind = entries.c.kind
        query = select(*_ENTRY).where(entries.c.request_id == request_id)
        found = [
            LedgerEntry._make(row)
            for which in (kind == "reserve", kind != "reserve")
            for row in self._connection.execute(query.where(which))
        ]
        return sorted(found, key=lambda entry: (entry.attempt, entry.seq))

    def open_attempts(
        self, owner: str | None = None, rows_max: int | None = None
    ) -> list[OpenAttempt]:
        query = select(open_attempts).limit(rows_max)
        if owner is not None:
            query = query.where(open_attempts.c.owner == owner)
        return [OpenAttempt._make(row) for row in self._connection.execute(query)]

    def owners_of_open_attempts(self) -> list[str]:
        query = select(open_attempts.c.owner).distinct()
        return list(self._connection.execute(query).scalars())

    def attempts(self, tenant: str | None = None) -> Iterator[Attempt]:
        query = select(attempts).order_by(_a.request_id, _a.attempt)
        if tenant is not None:
            query = query.where(_a.tenant == tenant)
        return map(Attempt._make, self._connection.execute(query))

    def usage(self, *by: str) -> list[UsageSum]:
        groups = [_a[name] for name in by]
        rows = self._connection.execute(_usage(groups))
        return [UsageSum(row[: len(by)], *map(int, row[len(by) :])) for row in rows]

    def target_use(self, prefix: str) -> list[TargetUse]:
        query = (
            select(
                func.min(_a.reserved_at_ms),
                func.max(func.coalesce(_a.ended_at_ms, _a.reserved_at_ms)),
                func.coalesce(func.sum(_a.cost_nano_usd), 0),
                func.max(_a.derivation).filter(_a.ending == Ending.SETTLE.value),
            )
            .where(_a.target.startswith(prefix, autoescape=True))
            .group_by(_a.target)
        )
        return [TargetUse._make(row) for row in self._connection.execute(query)]

    def exposures(self) -> Exposures:
        is_untold = (_a.ending == Ending.SETTLE.value) & _a.usage_source.in_(UNTOLD)
        return Exposures(
            under_way=self._exposure(_a.ending.is_(None)),
            expired=self._exposure(_a.ending == Ending.EXPIRE.value),
            untold=self._exposure(is_untold & _a.bound_nano_usd.is_not(None)),
        )

    def purchases(
        self, after_seq: int, since_ms: int, not_of: str | None = None
    ) -> list[StoredPurchase]:
        query = _PURCHASES.where(_r.seq > after_seq, _r.at_ms >= since_ms)
        if not_of is not None:
            query = query.where(_r.owner != not_of)
        return [StoredPurchase._make(row) for row in self._connection.execute(query)]

    def ended_purchases(self, seqs: Iterable[int]) -> list[StoredPurchase]:
        """One by one: each is a look into an index, and a list of any length is no query."""
        ended = _PURCHASES.where(_e.kind.is_not(None))
        return [
            StoredPurchase._make(row)
            for seq in seqs
            for row in self._connection.execute(ended.where(_r.seq == seq))
        ]

    def last_seq_before(self, at_ms: int) -> int:
        """Read from the newest on, so that few are looked at."""
        query = select(_r.seq).where(_r.kind == "reserve", _r.at_ms < at_ms)
        return self._connection.execute(query.order_by(_r.seq.desc()).limit(1)).scalar() or 0

    def last_feedback_seq(self) -> int:
        query = select(func.coalesce(func.max(_f.seq), 0))
        return int(self._connection.execute(query).scalar_one())

    def feedback_sums(self, after_seq: int, since_ms: int) -> list[FeedbackSum]:
        cell = (_f.model, _f.task, _f.language, _f.answered_ms // DAY_MS)
        query = (
            select(*cell, func.sum(_f.score), func.count())
            .where(_f.seq > after_seq, _f.answered_ms >= since_ms)
            .group_by(*cell)
            .order_by(*cell)
        )
        return [FeedbackSum._make(row) for row in self._connection.execute(query)]

    def _exposure(self, which: ColumnElement[bool]) -> Exposure:
        nano_usd = func.sum(_a.bound_nano_usd - func.coalesce(_a.cost_nano_usd, 0))
        query = select(func.count(), func.coalesce(nano_usd, 0)).where(which)
        return Exposure(*map(int, self._connection.execute(query).one()))


def _usage(groups: Sequence[ColumnElement[str]]) -> Select[*tuple[Any, ...]]:
    usage = select(
        *groups,
        func.count(_a.request_id.distinct()),
        func.count().filter(_a.target != NO_TARGET),
        func.count().filter(_a.ending.is_(None)),
        *(func.coalesce(func.sum(column), 0) for column in _COUNTED),
    ).select_from(attempts)
    return usage.group_by(*groups).order_by(*groups) if groups else usage
