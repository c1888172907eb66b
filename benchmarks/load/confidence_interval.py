"""A figure over several runs: its mean, and where the true mean lies with 95 % confidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import fmean, stdev

from scipy.special import stdtrit

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its bounds. Of one run nothing is known about its spread: then there are no
    bounds."""

    mean: float
    low: float | None
    high: float | None

    def as_json(self) -> dict[str, float | None]:
        return asdict(self)


def over_runs(values: Sequence[float | None]) -> Interval | None:
    """Student's t, since runs are few. None where no run has the figure."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    mean = fmean(known)
    if len(known) < 2:
        return Interval(mean, None, None)
    half = float(stdtrit(len(known) - 1, (1 + CONFIDENCE) / 2)) * stdev(known) / sqrt(len(known))
    return Interval(mean, mean - half, mean + half)
