"""What was used and what it cost, as one consistent reading of the ledger."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from models.money import NanoUsd, format_usd
from runtime.ledger import sqlite
from runtime.ledger.schema import attempts


class Sums(BaseModel):
    """Of a set of attempts. Tokens that nobody reported are not in the token counts."""

    model_config = ConfigDict(frozen=True)

    requests: int
    attempts: int
    open_attempts: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost_nano_usd: NanoUsd
    cost_usd: str  # the same amount, exact


class Line(Sums):
    tenant: str
    feature: str
    model: str
    target: str


class Report(BaseModel):
    """A request whose attempts went to several targets counts as a request of each."""

    model_config = ConfigDict(frozen=True)

    lines: list[Line]
    by_tenant: dict[str, Sums]
    by_feature: dict[str, Sums]
    by_model: dict[str, Sums]
    by_target: dict[str, Sums]
    total: Sums


class RequestCost(BaseModel):
    """One request over all its attempts. ``target`` and ``outcome`` are of the last one."""

    model_config = ConfigDict(frozen=True)

    request_id: str
    tenant: str
    model: str
    target: str
    reason: str
    attempts: int
    ending: str | None  # None while the last attempt is open
    outcome: str | None
    prompt_tokens: int
    completion_tokens: int
    cost_nano_usd: NanoUsd
    derivation: str | None


def report(path: Path) -> Report:
    with sqlite.reading(path) as connection:
        return report_on(connection)


def report_on(connection: Connection) -> Report:
    a = attempts.c
    (total,) = connection.execute(_sums()).mappings()
    return Report(
        lines=[
            Line(**facts, cost_usd=format_usd(facts["cost_nano_usd"]))
            for facts in connection.execute(
                _sums(a.tenant, a.feature, a.model, a.target)
            ).mappings()
        ],
        by_tenant=_by(connection, a.tenant),
        by_feature=_by(connection, a.feature),
        by_model=_by(connection, a.model),
        by_target=_by(connection, a.target),
        total=Sums(**total, cost_usd=format_usd(total["cost_nano_usd"])),
    )


def requests(path: Path, *, since_ms: int = 0, tenant: str | None = None) -> list[RequestCost]:
    """Every request reserved since ``since_ms``, oldest first; of one tenant if named.

    All of them, however many: their costs add up to the report's total.
    """
    query = select(attempts).order_by(attempts.c.request_id, attempts.c.attempt)
    if tenant is not None:
        query = query.where(attempts.c.tenant == tenant)
    found: list[tuple[int, RequestCost]] = []
    with sqlite.reading(path) as connection:
        for _, rows in groupby(connection.execute(query), key=lambda row: str(row.request_id)):
            tried = list(rows)
            if tried[0].reserved_at_ms >= since_ms:
                found.append((tried[0].reserved_at_ms, _request(tried)))
    return [request for _, request in sorted(found, key=lambda dated: dated[0])]


def _request(tried: list[Row[Any]]) -> RequestCost:
    last = tried[-1]
    return RequestCost(
        request_id=last.request_id,
        tenant=last.tenant,
        model=last.model,
        target=last.target,
        reason=last.reason,
        attempts=len(tried),
        ending=last.ending,
        outcome=last.outcome,
        prompt_tokens=sum(row.prompt_tokens or 0 for row in tried),
        completion_tokens=sum(row.completion_tokens or 0 for row in tried),
        cost_nano_usd=sum(row.cost_nano_usd or 0 for row in tried),
        derivation=last.derivation,
    )


def _by(connection: Connection, column: ColumnElement[str]) -> dict[str, Sums]:
    found = connection.execute(_sums(column.label("name"))).mappings()
    return {
        facts["name"]: Sums(
            **{key: value for key, value in facts.items() if key != "name"},
            cost_usd=format_usd(facts["cost_nano_usd"]),
        )
        for facts in found
    }


def _sums(*groups: ColumnElement[str]) -> Select[*tuple[Any, ...]]:
    a = attempts.c
    counted = select(
        *groups,
        func.count(a.request_id.distinct()).label("requests"),
        func.count().label("attempts"),
        func.count().filter(a.ending.is_(None)).label("open_attempts"),
        *(
            func.coalesce(func.sum(column), 0).label(column.name)
            for column in (a.prompt_tokens, a.cached_tokens, a.completion_tokens, a.cost_nano_usd)
        ),
    ).select_from(attempts)
    return counted.group_by(*groups).order_by(*groups) if groups else counted
