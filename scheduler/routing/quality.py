"""How good a model is at a task in a language: a table of means, and how sure each of them is.

The mean of a cell is drawn towards that of the level above it (language, then task, then model) by
the weight of a few observations, so that few results say little. A published score stands for a
good many. Results fade, so that an old failure is forgotten as an old success is. Scores are from
0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

SHRINK_OBSERVATIONS = 4.0  # measured on public data: benchmarks of routing with a task table
PUBLISHED_OBSERVATIONS = 20.0
UNKNOWN_SCORE = 0.5
Z = 1.28  # nine chances in ten, on one side
CELLS_MAX = 100_000  # models, tasks and languages come from the configuration; this is a backstop

_Key = tuple[str, str | None, str | None]


@dataclass(slots=True)
class _Cell:
    total: float = 0.0
    count: float = 0.0


@dataclass(frozen=True, slots=True)
class Quality:
    """The true score is above ``lower`` with nine chances in ten, and below ``upper`` as well.
    ``observations`` are those of this task and language alone."""

    mean: float
    lower: float
    upper: float
    observations: float

    def is_below(self, floor: float) -> bool:
        """Surely so, by what was seen: a published score is believed until results speak against
        it, and chance alone demotes nobody."""
        return self.upper < floor


class QualityTable:
    """What was published, and what was seen since. Unknown tasks and languages are ""."""

    def __init__(self) -> None:
        self._published: dict[tuple[str, str], float] = {}
        self._cells: dict[_Key, _Cell] = {}

    def publish(self, model: str, score: float, task: str = "") -> None:
        """A score that others measured; "" is over all tasks."""
        self._published[model, task] = _checked(score)

    def observe(
        self, model: str, task: str, language: str, score: float, count: float = 1.0
    ) -> bool:
        """One result, or the mean of ``count``. False where the table is full."""
        keys: tuple[_Key, ...] = ((model, None, None), (model, task, None), (model, task, language))
        if len(self._cells) + len(keys) > CELLS_MAX and not all(key in self._cells for key in keys):
            return False
        for key in keys:
            cell = self._cells.setdefault(key, _Cell())
            cell.total += _checked(score) * count
            cell.count += count
        return True

    def fade(self, share: float) -> None:
        """What was seen counts only this share from now on."""
        for cell in self._cells.values():
            cell.total *= share
            cell.count *= share

    def quality(self, model: str, task: str, language: str = "") -> Quality:
        of_model = self._published.get((model, ""))
        mean, weight = (
            (UNKNOWN_SCORE, SHRINK_OBSERVATIONS)
            if of_model is None
            else (of_model, PUBLISHED_OBSERVATIONS)
        )
        mean, _ = self._drawn((model, None, None), mean, weight)
        of_task = self._published.get((model, task)) if task else None
        weight = SHRINK_OBSERVATIONS
        if of_task is not None:
            mean, weight = of_task, PUBLISHED_OBSERVATIONS
        mean, _ = self._drawn((model, task, None), mean, weight)
        mean, seen = self._drawn((model, task, language), mean, SHRINK_OBSERVATIONS)
        lower, upper = _interval(mean, max(seen, SHRINK_OBSERVATIONS))
        return Quality(mean, lower, upper, seen)

    def _drawn(self, key: _Key, prior: float, weight: float) -> tuple[float, float]:
        """The mean of a cell with its prior, and how much the cell itself has seen."""
        cell = self._cells.get(key)
        if cell is None:
            return prior, 0.0
        return (prior * weight + cell.total) / (weight + cell.count), cell.count


def _checked(score: float) -> float:
    if not 0.0 <= score <= 1.0:
        raise ValueError(f"a score is from 0 to 1, not {score}")
    return score


def _interval(mean: float, observations: float) -> tuple[float, float]:
    """Wilson's: it stays within 0 to 1, and is wide for few."""
    z2 = Z * Z
    spread = Z * sqrt(mean * (1 - mean) / observations + z2 / (4 * observations**2))
    middle, scale = mean + z2 / (2 * observations), 1 + z2 / observations
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
