"""Rows without a trace: Poisson arrivals, bursts, or a day's rise and fall, from a seed.

``poisson`` has independent arrivals, ``gamma`` has gaps of a chosen coefficient of variation
(above 1: bursts), ``diurnal`` a rate that follows a sine. Lengths are lognormal, as those of
public traces nearly are. The same arguments give the same rows. Scale such rows by ``compress``:
folding would lay the hours of a day over each other.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import isfinite, log, pi, sin
from random import Random
from typing import Literal, TypeAlias

from benchmarks.simulation.traces import ROWS_MAX, TOKENS_MAX, TraceRow

ArrivalKind: TypeAlias = Literal["poisson", "gamma", "diurnal"]

BURST_VARIATION = 3.0
DAY_S = 86_400.0
DAY_SWING = 0.8
VARIATION_MIN, VARIATION_MAX = 0.01, 100.0

GOLDEN_TURN = (5**0.5 - 1) / 2  # its multiples never come together
_BLOCK_HASH_BITS = 64


@dataclass(frozen=True, slots=True)
class Lengths:
    """The lengths are lognormal: the median, the spread of the logarithm, and where they are cut
    off."""

    prompt_median: float = 900.0
    prompt_sigma: float = 0.9
    output_median: float = 150.0
    output_sigma: float = 0.8
    prompt_max: int = 32_768
    output_max: int = 4_096

    def __post_init__(self) -> None:
        limits = (self.prompt_max, self.output_max)
        if not all(1 <= limit <= TOKENS_MAX for limit in limits):
            raise ValueError(f"the longest length must be between 1 and {TOKENS_MAX} tokens")
        for name in ("prompt_median", "output_median"):
            _above_zero(name, getattr(self, name))
        if not all(isfinite(s) and s >= 0 for s in (self.prompt_sigma, self.output_sigma)):
            raise ValueError("the spread of a length must be 0 or more")


def synthetic_rows(
    kind: ArrivalKind,
    count: int,
    rate_per_s: float,
    seed: int,
    *,
    lengths: Lengths | None = None,
    variation: float = BURST_VARIATION,
    day_s: float = DAY_S,
    swing: float = DAY_SWING,
) -> list[TraceRow]:
    """``count`` rows at a mean rate, the first at 0.

    ``variation`` is the gamma gaps' standard deviation over their mean. ``swing`` is how far the
    diurnal rate departs from its mean, up to 1, with a period of ``day_s``.
    """
    if not 1 <= count <= ROWS_MAX:
        raise ValueError(f"there must be 1 to {ROWS_MAX} rows, not {count}")
    for name, value in (("rate_per_s", rate_per_s), ("day_s", day_s)):
        _above_zero(name, value)
    if not VARIATION_MIN <= variation <= VARIATION_MAX:
        raise ValueError(
            f"variation must be between {VARIATION_MIN} and {VARIATION_MAX}, not {variation}"
        )
    if not 0 <= swing <= 1:
        raise ValueError(f"swing must be between 0 and 1, not {swing}")
    random = Random(f"{seed}:arrivals")
    if kind == "poisson":
        times = _gamma_times(random, rate_per_s, 1.0)
    elif kind == "gamma":
        times = _gamma_times(random, rate_per_s, variation)
    elif kind == "diurnal":
        times = _diurnal_times(random, rate_per_s, day_s, swing)
    else:
        raise ValueError(f"unknown arrivals {kind!r}: use poisson, gamma or diurnal")
    return _with_lengths(list(islice(times, count)), lengths or Lengths(), seed)


def repeated(rows: Sequence[TraceRow], times: int) -> list[TraceRow]:
    """The rows run through ``times`` times, one mean gap between; each run has its own prefixes.

    A trace that is folded many times over leaves a short run: repeating it first keeps it long.
    Each run begins elsewhere in the trace and goes once around, or folding would lay copies of
    the same busy minute upon one another, as no independent services do.
    """
    if times < 1 or times * len(rows) > ROWS_MAX:
        raise ValueError(f"cannot repeat {len(rows)} rows {times} times: at most {ROWS_MAX} rows")
    span_s = rows[-1].at_s * len(rows) / max(1, len(rows) - 1)
    return [
        replace(
            row,
            at_s=at_s + run * span_s,
            blocks=tuple(block + (run << _BLOCK_HASH_BITS) for block in row.blocks),
        )
        for run in range(times)
        for at_s, row in _around(rows, span_s, run * GOLDEN_TURN % 1 * span_s)
    ]


def _around(
    rows: Sequence[TraceRow], span_s: float, begin_s: float
) -> Iterator[tuple[float, TraceRow]]:
    """All rows with their new times; the first is the first one from ``begin_s`` on."""
    first = bisect_left(rows, begin_s, key=lambda row: row.at_s) % len(rows)
    for row in (*rows[first:], *rows[:first]):
        yield (row.at_s - rows[first].at_s) % span_s, row


def _gamma_times(random: Random, rate_per_s: float, variation: float) -> Iterator[float]:
    """Independent gaps; a variation of 1 makes them exponential, the arrivals Poisson."""
    shape = 1 / variation**2
    at_s = 0.0
    while True:
        yield at_s
        at_s += random.gammavariate(shape, 1 / (rate_per_s * shape))


def _diurnal_times(
    random: Random, rate_per_s: float, day_s: float, swing: float
) -> Iterator[float]:
    """Thinning: arrivals at the highest rate, each kept by the chance of the rate at its time."""
    highest = rate_per_s * (1 + swing)
    first_s: float | None = None
    at_s = 0.0
    while True:
        at_s += random.expovariate(highest)
        rate = rate_per_s * (1 + swing * sin(2 * pi * at_s / day_s))
        if random.random() * highest < rate:
            first_s = at_s if first_s is None else first_s
            yield at_s - first_s


def _with_lengths(times_s: list[float], lengths: Lengths, seed: int) -> list[TraceRow]:
    random = Random(f"{seed}:lengths")
    return [
        TraceRow(
            at_s,
            _length(random, lengths.prompt_median, lengths.prompt_sigma, lengths.prompt_max),
            _length(random, lengths.output_median, lengths.output_sigma, lengths.output_max),
        )
        for at_s in times_s
    ]


def _length(random: Random, median: float, sigma: float, longest: int) -> int:
    return min(longest, max(1, round(random.lognormvariate(log(median), sigma))))


def _above_zero(name: str, value: float) -> None:
    if not (isfinite(value) and value > 0):
        raise ValueError(f"{name} must be above 0, not {value}")
