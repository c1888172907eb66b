"""What was used and what it cost, as one consistent reading of the ledger."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from models.money import NanoUsd, format_usd
from runtime.ledger import sqlite
from runtime.ledger.rows import UNTOLD, Ending
from runtime.ledger.schema import attempts
from runtime.replica_time import replica_hour_nano

HOUR_MS = 3_600_000
LOCAL = "local:"  # a target that is a replica


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


class Rent(BaseModel):
    """What the cards of the replicas cost, from each one's first request to its last ending, and
    what of it was billed to requests. Before, after and between them a replica was idle, and its
    cards were rented all the same."""

    model_config = ConfigDict(frozen=True)

    replicas: int
    cost_nano_usd: NanoUsd
    billed_nano_usd: NanoUsd
    billed_share: float | None  # None while nothing was measured


class Report(BaseModel):
    """A request whose attempts went to several targets counts as a request of each."""

    model_config = ConfigDict(frozen=True)

    lines: list[Line]
    by_tenant: dict[str, Sums]
    by_feature: dict[str, Sums]
    by_model: dict[str, Sums]
    by_target: dict[str, Sums]
    total: Sums
    rent: Rent
    not_included: list[str]  # in the costs above, one sentence each


class RequestCost(BaseModel):
    """One request over all its attempts. ``target`` and ``outcome`` are of the last one."""

    model_config = ConfigDict(frozen=True)

    request_id: str
    reserved_at_ms: int  # unix time
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
    rent = _rent(connection)
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
        rent=rent,
        not_included=_not_included(connection, rent),
    )


def requests(path: Path, *, since_ms: int = 0, tenant: str | None = None) -> list[RequestCost]:
    """Every request reserved since ``since_ms``, oldest first; of one tenant if named.

    All of them, however many: their costs add up to the report's total.
    """
    query = select(attempts).order_by(attempts.c.request_id, attempts.c.attempt)
    if tenant is not None:
        query = query.where(attempts.c.tenant == tenant)
    found: list[RequestCost] = []
    with sqlite.reading(path) as connection:
        for _, rows in groupby(connection.execute(query), key=lambda row: str(row.request_id)):
            tried = list(rows)
            if tried[0].reserved_at_ms >= since_ms:
                found.append(_request(tried))
    return sorted(found, key=lambda request: request.reserved_at_ms)


def _request(tried: list[Row[Any]]) -> RequestCost:
    last = tried[-1]
    return RequestCost(
        request_id=last.request_id,
        reserved_at_ms=tried[0].reserved_at_ms,
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


def _rent(connection: Connection) -> Rent:
    a = attempts.c
    query = (
        select(
            func.min(a.reserved_at_ms),
            func.max(func.coalesce(a.ended_at_ms, a.reserved_at_ms)),
            func.coalesce(func.sum(a.cost_nano_usd), 0),
            func.max(a.derivation).filter(a.ending == Ending.SETTLE.value),
        )
        .where(a.target.startswith(LOCAL, autoescape=True))
        .group_by(a.target)
    )
    replicas = rent_nano = billed_nano = 0
    for first_ms, last_ms, cost_nano, derivation in connection.execute(query):
        hour_nano = replica_hour_nano(derivation or "")
        if hour_nano is None:  # nothing was billed there
            continue
        replicas += 1
        rent_nano += max(0, last_ms - first_ms) * hour_nano // HOUR_MS
        billed_nano += cost_nano
    share = billed_nano / rent_nano if rent_nano else None
    return Rent(
        replicas=replicas, cost_nano_usd=rent_nano, billed_nano_usd=billed_nano, billed_share=share
    )


def _not_included(connection: Connection, rent: Rent) -> list[str]:
    found: list[str] = []
    if rent.billed_share is not None:
        found.append(
            "the time in which a replica had no request, though its cards are rented then too. "
            f"Requests were billed {format_usd(rent.billed_nano_usd)} USD, "
            f"{rent.billed_share:.1%} of the {format_usd(rent.cost_nano_usd)} USD that the cards "
            f"of {rent.replicas} replicas cost from each one's first request to its last ending"
        )
    a = attempts.c
    is_untold = (a.ending == Ending.SETTLE.value) & a.usage_source.in_(UNTOLD)
    doubt = func.sum(a.bound_nano_usd - func.coalesce(a.cost_nano_usd, 0))
    for which, says in (
        (a.ending.is_(None), "attempts under way, which are billed when they end"),
        (a.ending == Ending.EXPIRE.value, "attempts whose gateway died, in doubt"),
        (
            is_untold & a.bound_nano_usd.is_not(None),
            "attempts whose vendor told no tokens, beyond the estimate that is billed",
        ),
    ):
        query = select(func.count(), func.coalesce(doubt, 0)).where(which)
        count, doubt_nano = connection.execute(query).one()
        if count:
            doubt_usd = format_usd(doubt_nano)
            found.append(f"{count} {says}: purchases among them cost up to {doubt_usd} USD")
    return found


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
