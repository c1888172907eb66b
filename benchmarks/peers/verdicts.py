"""What Baseload claims beside its peers, and whether a run bears it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.peers.baseload_alone import BASELOAD
from benchmarks.peers.confidence import ratio_bounds
from benchmarks.peers.litellm import LITELLM
from benchmarks.peers.overload import Outcome
from benchmarks.peers.side_by_side import Sample
from benchmarks.peers.vllm_router import VLLM_ROUTER

CONCURRENCY = 32
FASTER_THAN_LITELLM = 6.0
AS_FAST_AS_VLLM_ROUTER = 0.9
ENGINES = "real engines"
SCRIPTED = "scripted upstream"


@dataclass(frozen=True, slots=True)
class PeerVerdict:
    """``value`` and ``holds`` are None where it was not measured. ``low`` and ``high`` say how sure
    a ratio of throughputs is, with a confidence of 95 %; None where there are too few samples.
    """

    claim: str
    value: float | None
    low: float | None
    high: float | None
    least: float
    holds: bool | None


def judge(
    through: Sequence[Sample], scripted: Sequence[Sample], outcomes: Sequence[Outcome]
) -> list[PeerVerdict]:
    verdicts = []
    for place, samples in ((ENGINES, through), (SCRIPTED, scripted)):
        for peer, least in ((LITELLM, FASTER_THAN_LITELLM), (VLLM_ROUTER, AS_FAST_AS_VLLM_ROUTER)):
            claim = f"chunks/s at c={CONCURRENCY}, of {peer.title}'s, {place}"
            ours, theirs = _chunk_shares(samples, BASELOAD), _chunk_shares(samples, peer.name)
            verdicts.append(_of_medians(claim, ours, theirs, least))
    return [*verdicts, *_of_overload(outcomes)]


def _chunk_shares(samples: Sequence[Sample], way: str) -> list[float]:
    return [
        each.chunk_share
        for each in samples
        if each.way == way and each.through.concurrency == CONCURRENCY
    ]


def _of_medians(
    claim: str, ours: Sequence[float], theirs: Sequence[float], least: float
) -> PeerVerdict:
    value = median(ours) / median(theirs) if ours and theirs else None
    return _at_least(claim, value, least, *(ratio_bounds(ours, theirs) or (None, None)))


def _at_least(
    claim: str,
    value: float | None,
    least: float,
    low: float | None = None,
    high: float | None = None,
) -> PeerVerdict:
    return PeerVerdict(claim, value, low, high, least, None if value is None else value >= least)


def _of_overload(outcomes: Sequence[Outcome]) -> list[PeerVerdict]:
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
