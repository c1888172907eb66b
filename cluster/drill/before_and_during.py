"""What requests came to, before a fault and with it: endings, times, attempts, purchases."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from cluster.drill.drill_report import Ending, Side
from cluster.drill.traffic import Seen
from models.money import NanoUsd, format_usd
from runtime.ledger.rows import NO_TARGET
from runtime.ledger.store import Attempt
from scheduler.compliance.compliance_matrix import LOCAL
from scheduler.target import TargetKind

P50, P99 = 0.5, 0.99
PER = 1_000  # requests that a cost is told for


@dataclass(frozen=True, slots=True)
class Spent:
    """What the ledger says that one request cost."""

    attempts: int
    is_bought: bool
    bought_nano_usd: NanoUsd


def spent_by_request(attempts: Iterable[Attempt]) -> dict[str, Spent]:
    """``attempts`` are in the order of their requests."""
    return {
        request_id: _spent(list(tried))
        for request_id, tried in groupby(attempts, key=lambda each: each.request_id)
    }


def _spent(tried: Sequence[Attempt]) -> Spent:
    bought = [each for each in tried if each.target.startswith(TargetKind.OFFER.prefix)]
    return Spent(
        attempts=sum(each.target != NO_TARGET for each in tried),
        is_bought=bool(bought),
        bought_nano_usd=sum(each.cost_nano_usd or 0 for each in bought),
    )


def side(seen: Sequence[Seen], spent: Mapping[str, Spent]) -> Side:
    times = sorted(each.ttft_ms for each in seen if each.ttft_ms is not None)
    bills = [spent[each.request_id] for each in seen if each.request_id in spent]
    cost_nano = sum(bill.bought_nano_usd for bill in bills)
    return Side(
        requests=len(seen),
        answered=len(times),
        endings=_endings(seen),
        ttft_ms_p50=quantile(times, P50),
        ttft_ms_p99=quantile(times, P99),
        attempts_per_request=sum(b.attempts for b in bills) / len(seen) if seen else None,
        attempts_max=max((bill.attempts for bill in bills), default=0),
        bought=sum(bill.is_bought for bill in bills),
        bought_usd=format_usd(cost_nano),
        bought_usd_per_1000=format_usd(cost_nano * PER // len(seen) if seen else 0),
    )


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The least of these that so large a share of them does not exceed; None of none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def added_ms(seen: Iterable[Seen], before_ms: float | None) -> list[float]:
    """How much later than ``before_ms`` each answer began with the fault, in ms, the least
    first."""
    if before_ms is None:
        return []
    return sorted(
        each.ttft_ms - before_ms
        for each in seen
        if each.is_under_fault and each.ttft_ms is not None
    )


def place_of(target: str) -> str:
    """The target without the number of a replica: "local", or an offer's id."""
    kind, _, name = target.partition(":")
    return LOCAL if kind == TargetKind.LOCAL else name


def ends_otherwise(before: Side, during: Side) -> bool:
    """Whether others answer, or requests are refused in another way."""
    return _ways(before) != _ways(during)


def _ways(of: Side) -> set[tuple[str, str, str]]:
    return {(each.model, each.target, each.code) for each in of.endings}


def _endings(seen: Iterable[Seen]) -> list[Ending]:
    counts = Counter(
        ("", "", each.code, each.status)
        if each.code
        else (each.model, place_of(each.target), "", None)
        for each in seen
    )
    return [
        Ending(requests=count, model=model, target=target, code=code, status=status)
        for (model, target, code, status), count in counts.most_common()
    ]
