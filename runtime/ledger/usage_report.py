"""What was used and what it cost, as one consistent reading of the ledger."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from models.money import NanoUsd, format_usd
from runtime.ledger.open_store import open_store
from runtime.ledger.rows import NO_TARGET
from runtime.ledger.store import Attempt, Reading, UsageSum
from runtime.replica_time_share import replica_hour_nano
from scheduler.target import TargetKind

HOUR_MS = 3_600_000


class Sums(BaseModel):
    """The sums of a set of attempts. Tokens that nobody reported are not in the token counts. A
    request that was refused for the law's sake counts as a request, without an attempt."""

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


class UsageReport(BaseModel):
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


def report(url: str | Path) -> UsageReport:
    with open_store(url).reading() as reading:
        return report_on(reading)


def report_on(reading: Reading) -> UsageReport:
    (total,) = reading.usage()
    rent = _rent(reading)
    return UsageReport(
        lines=[_line(usage) for usage in reading.usage("tenant", "feature", "model", "target")],
        by_tenant=_by(reading, "tenant"),
        by_feature=_by(reading, "feature"),
        by_model=_by(reading, "model"),
        by_target=_by(reading, "target"),
        total=_sums(total),
        rent=rent,
        not_included=_not_included(reading, rent),
    )


def requests(url: str | Path, *, since_ms: int = 0, tenant: str | None = None) -> list[RequestCost]:
    """Every request reserved since ``since_ms``, oldest first; of one tenant if named.

    All of them, however many: their costs add up to the report's total.
    """
    found: list[RequestCost] = []
    with open_store(url).reading() as reading:
        for _, attempts in groupby(reading.attempts(tenant), key=lambda each: each.request_id):
            tried = list(attempts)
            if tried[0].reserved_at_ms >= since_ms:
                found.append(_request(tried))
    return sorted(found, key=lambda request: request.reserved_at_ms)


def _request(tried: list[Attempt]) -> RequestCost:
    last = tried[-1]
    return RequestCost(
        request_id=last.request_id,
        reserved_at_ms=tried[0].reserved_at_ms,
        tenant=last.tenant,
        model=last.model,
        target=last.target,
        reason=last.reason,
        attempts=sum(row.target != NO_TARGET for row in tried),
        ending=last.ending,
        outcome=last.outcome,
        prompt_tokens=sum(row.prompt_tokens or 0 for row in tried),
        completion_tokens=sum(row.completion_tokens or 0 for row in tried),
        cost_nano_usd=sum(row.cost_nano_usd or 0 for row in tried),
        derivation=last.derivation,
    )


def _rent(reading: Reading) -> Rent:
    replicas = rent_nano = billed_nano = 0
    for first_ms, last_ms, cost_nano, derivation in reading.target_use(TargetKind.LOCAL.prefix):
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


def _not_included(reading: Reading, rent: Rent) -> list[str]:
    found: list[str] = []
    if rent.billed_share is not None:
        found.append(
            "the time in which a replica had no request, though its cards are rented then too. "
            f"Requests were billed {format_usd(rent.billed_nano_usd)} USD, "
            f"{rent.billed_share:.1%} of the {format_usd(rent.cost_nano_usd)} USD that the cards "
            f"of {rent.replicas} replicas cost from each one's first request to its last ending"
        )
    exposures = reading.exposures()
    for exposure, says in (
        (exposures.under_way, "attempts under way, which are billed when they end"),
        (exposures.expired, "attempts whose gateway died, in doubt"),
        (
            exposures.untold,
            "attempts whose vendor told no tokens, beyond the estimate that is billed",
        ),
    ):
        if exposure.attempts:
            usd = format_usd(exposure.nano_usd)
            found.append(f"{exposure.attempts} {says}: purchases among them cost up to {usd} USD")
    return found


def _by(reading: Reading, name: str) -> dict[str, Sums]:
    return {usage.group[0]: _sums(usage) for usage in reading.usage(name)}


def _line(usage: UsageSum) -> Line:
    tenant, feature, model, target = usage.group
    names = {"tenant": tenant, "feature": feature, "model": model, "target": target}
    return Line(**names, **dict(_sums(usage)))


def _sums(usage: UsageSum) -> Sums:
    return Sums(
        requests=usage.requests,
        attempts=usage.attempts,
        open_attempts=usage.open_attempts,
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        completion_tokens=usage.completion_tokens,
        cost_nano_usd=usage.cost_nano_usd,
        cost_usd=format_usd(usage.cost_nano_usd),
    )
