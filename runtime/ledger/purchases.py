"""What other gateways have bought, as the ledger tells it: those before this one, and those
beside it, as in a rolling upgrade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from models.money import NanoUsd
from runtime.ledger import sqlite
from runtime.ledger.rows import Ending
from runtime.ledger.schema import entries

OFFER = "offer:"  # a target that is bought from
LATE_MS = 60_000  # so much later than it is dated, a row may have been written


@dataclass(frozen=True, slots=True)
class Purchase:
    """An attempt at an offer. ``nano_usd`` is what it cost; what it can cost at most while it is
    under way, and for good where its gateway died, for then nobody knows."""

    request_id: str
    attempt: int
    tenant: str
    at_ms: int  # unix time of its reserve
    nano_usd: NanoUsd
    is_open: bool

    @property
    def key(self) -> tuple[str, int]:
        return self.request_id, self.attempt


class Purchases:
    """Reads on where it left off. Not for two threads at once."""

    def __init__(self, path: Path, owner: str) -> None:
        self._path = path
        self._owner = owner  # this gateway, which knows what it buys
        self._seq: int | None = None  # up to here the entries are known
        self._open: dict[tuple[str, int], int] = {}  # the known ones under way, by their entry

    def news(self, since_ms: int) -> list[Purchase]:
        """Purchases that were not told of before, and the endings of those that were told as
        open, in their order. The first time, before this gateway has bought anything: all that
        were reserved from ``since_ms`` on."""
        with sqlite.reading(self._path) as connection:
            last: int = connection.execute(select(func.coalesce(func.max(_r.seq), 0))).scalar_one()
            query = _PURCHASES.where(_r.at_ms >= since_ms)
            if self._seq is None:
                query = query.where(_r.seq > _older(connection, since_ms))
            else:
                query = query.where(_r.seq > self._seq, _r.owner != self._owner)
            ended = [row for seq in self._open.values() for row in _ended(connection, seq)]
            rows = [*ended, *connection.execute(query)]
        self._seq = last
        return [self._noted(row) for row in rows]

    def _noted(self, row: Row[*tuple[Any, ...]]) -> Purchase:
        is_known = row.kind is not None and row.kind != Ending.EXPIRE.value
        purchase = Purchase(
            request_id=row.request_id,
            attempt=row.attempt,
            tenant=row.tenant,
            at_ms=row.at_ms,
            nano_usd=row.cost_nano_usd if is_known else row.bound_nano_usd or 0,
            is_open=row.kind is None,
        )
        if purchase.is_open:
            self._open[purchase.key] = row.seq
        else:
            self._open.pop(purchase.key, None)
        return purchase


_reserves, _endings = entries.alias("r"), entries.alias("e")
_r, _e = _reserves.c, _endings.c
_SAME = and_(_e.request_id == _r.request_id, _e.attempt == _r.attempt, _e.kind != "reserve")
_FACTS = (_r.seq, _r.request_id, _r.attempt, _r.tenant, _r.at_ms, _r.bound_nano_usd)
_PURCHASES = (
    select(*_FACTS, _e.kind, _e.cost_nano_usd)
    .select_from(_reserves.outerjoin(_endings, _SAME))
    .where(_r.kind == "reserve", _r.target.startswith(OFFER, autoescape=True))
    .order_by(_r.seq)
)


def _older(connection: Connection, since_ms: int) -> int:
    """An entry before all that count; read from the newest on, so that few are looked at."""
    query = select(_r.seq).where(_r.kind == "reserve", _r.at_ms < since_ms - LATE_MS)
    return connection.execute(query.order_by(_r.seq.desc()).limit(1)).scalar() or 0


def _ended(connection: Connection, seq: int) -> Sequence[Row[*tuple[Any, ...]]]:
    return connection.execute(_PURCHASES.where(_r.seq == seq, _e.kind.is_not(None))).all()
