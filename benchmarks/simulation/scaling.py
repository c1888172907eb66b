"""Brings a trace to a load: moves its arrivals so that its work fills a pool so many times over.

``fold`` cuts the trace into K slices of equal length that run side by side, as if a pool K times
larger served K such services. Each request is used once and keeps its distance to its neighbours.
Where K is no whole number, the last, shorter slice is stretched over the whole horizon, a smaller
service of the same kind, so that no part of the run is busier for the arithmetic's sake. For K < 1
requests are left out by seed.

``compress`` divides time by K. It multiplies the rate of each burst by K as well and leaves
nothing to even it out: a window at six times the mean stays at six times a larger mean, which no
service of that size shows. Folding adds independent stretches, so peaks shrink relative to the
mean as they do when services share a pool. That is why it is the default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from random import Random
from typing import Literal, TypeAlias

Scaling: TypeAlias = Literal["fold", "compress"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Which rows arrive when: (row index, at_s) by time, over ``duration_s``."""

    arrivals: tuple[tuple[int, float], ...]
    duration_s: float
    scale: float  # K


def span_s(times_s: Sequence[float]) -> float:
    """The trace's own length: to the last arrival, and one mean gap after it."""
    count = len(times_s)
    if count < 2 or times_s[-1] <= 0:
        raise ValueError("a load needs at least two requests at different times")
    return times_s[-1] * count / (count - 1)


def schedule(
    times_s: Sequence[float],
    work_s: Sequence[float],
    work_per_s: float,
    scaling: Scaling,
    seed: int,
) -> Schedule:
    """The arrivals that bring ``work_per_s`` engine seconds per second.

    The load is exact, except where rows are left out: there it is within one row's work.
    """
    trace_s = span_s(times_s)
    scale = work_per_s * trace_s / sum(work_s)
    if scaling == "compress":
        pairs = [(index, at_s / scale) for index, at_s in enumerate(times_s)]
        return Schedule(tuple(pairs), trace_s / scale, scale)
    if scaling != "fold":
        raise ValueError(f"unknown scaling {scaling!r}: use fold or compress")
    if scale < 1:
        kept = _thinned(work_s, scale, seed)
        return Schedule(tuple((index, times_s[index]) for index in kept), trace_s, scale)
    pairs = sorted(
        ((index, _folded(at_s, trace_s, scale)) for index, at_s in enumerate(times_s)),
        key=lambda pair: (pair[1], pair[0]),
    )
    return Schedule(tuple(pairs), trace_s / scale, scale)


def _folded(at_s: float, trace_s: float, scale: float) -> float:
    slice_s = trace_s / scale
    whole = floor(scale)
    index = min(floor(at_s / slice_s), whole)
    within_s = max(0.0, at_s - index * slice_s)
    if index < whole:
        return within_s
    return within_s * slice_s / (trace_s - whole * slice_s)


def _thinned(work_s: Sequence[float], share: float, seed: int) -> list[int]:
    """Rows in a seeded order until their work reaches the share, at least one."""
    order = list(range(len(work_s)))
    Random(f"{seed}:thin").shuffle(order)
    left_s = share * sum(work_s)
    kept = []
    for index in order:
        if left_s <= 0:
            break
        kept.append(index)
        left_s -= work_s[index]
    return sorted(kept)
