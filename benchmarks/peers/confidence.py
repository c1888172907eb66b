"""How sure a ratio of two medians is, from the samples that each of them is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

CONFIDENCE = 0.95
SAMPLES_MIN = 3  # of two, nothing is known about what lies between them
RESAMPLES = 9_999
SEED = 1
IN_BRACKETS = f"in brackets: where the ratio lies with a confidence of {100 * CONFIDENCE:.0f} %"

Bounds: TypeAlias = tuple[float, float]


def ratio_bounds(ours: Sequence[float], theirs: Sequence[float]) -> Bounds | None:
    """Where the median of ours over the median of theirs lies, by the percentile bootstrap.

    The two are resampled apart: a round can have a sample of one and none of the other. None where
    one has too few. The order of the samples means nothing.
    """
    if min(len(ours), len(theirs)) < SAMPLES_MIN:
        return None
    from scipy.stats import bootstrap  # scipy is slow to import

    found = bootstrap(
        (sorted(ours), sorted(theirs)),
        _ratio_of_medians,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=SEED,
    ).confidence_interval
    return float(found.low), float(found.high)


def with_bounds(value: float, low: float | None, high: float | None) -> str:
    """The ratio and its bounds as a reader sees them."""
    return f"{value:.2f}" + ("" if low is None or high is None else f" ({low:.2f} to {high:.2f})")


def _ratio_of_medians(ours: Any, theirs: Any, axis: int) -> Any:
    """Along ``axis`` of arrays."""
    return np.median(ours, axis=axis) / np.median(theirs, axis=axis)
