"""What every part of a benchmark shares: the repository, the model, and who is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODEL = "tiny-moe"
ANSWER_S_MAX = 60.0


class BenchmarkError(Exception):
    """A part of a benchmark could not be measured; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """``base_url`` ends in /v1; ``key`` is sent as a bearer token."""

    base_url: str
    key: str = field(repr=False)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
