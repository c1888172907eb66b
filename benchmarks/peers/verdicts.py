"""What Baseload claims beside its peers, and whether a run bears it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.peers.baseload_alone import BASELOAD
from benchmarks.peers.litellm import LITELLM
from benchmarks.peers.overload import Outcome
from benchmarks.peers.side_by_side import Row
from benchmarks.peers.vllm_router import VLLM_ROUTER

CONCURRENCY = 32
FASTER_THAN_LITELLM = 6.0
AS_FAST_AS_VLLM_ROUTER = 0.9
ENGINES = "real engines"
SCRIPTED = "scripted upstream"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``holds`` is None where it was not measured."""

    claim: str
    value: float | None
    least: float
    holds: bool | None


def judge(
    through: Sequence[Row], scripted: Sequence[Row], outcomes: Sequence[Outcome]
) -> list[Verdict]:
    verdicts = []
    for place, rows in ((ENGINES, through), (SCRIPTED, scripted)):
        for peer, least in ((LITELLM, FASTER_THAN_LITELLM), (VLLM_ROUTER, AS_FAST_AS_VLLM_ROUTER)):
            claim = f"chunks/s at c={CONCURRENCY}, of {peer.title}'s, {place}"
            verdicts.append(_at_least(claim, _chunk_ratio(rows, peer.name), least))
    return [*verdicts, *_of_overload(outcomes)]


def _at_least(claim: str, value: float | None, least: float) -> Verdict:
    return Verdict(claim, value, least, None if value is None else value >= least)


def _chunk_ratio(rows: Sequence[Row], peer: str) -> float | None:
    """Both as shares of what the engines give directly at the time."""
    share = {
        row.way: row.figures["chunks_s"].ratio for row in rows if row.concurrency == CONCURRENCY
    }
    return share[BASELOAD] / share[peer] if {BASELOAD, peer} <= share.keys() else None


def _of_overload(outcomes: Sequence[Outcome]) -> list[Verdict]:
    by_way = {each.way: each for each in outcomes}
    ours = by_way.pop(BASELOAD, None)
    answered = None if ours is None else (ours.in_time + ours.late) / ours.asks
    lead = None
    if ours is not None and by_way:
        best = max(each.in_time_per_usd for each in by_way.values())
        lead = ours.in_time_per_usd / best if best else None
    return [
        _at_least("overload: share of the requests answered", answered, 1.0),
        _at_least("overload: in time per USD, misses bought, of the best peer's", lead, 1.0),
    ]
