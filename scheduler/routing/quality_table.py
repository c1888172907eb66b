"""How good a model is at a task in a language: a table of means, and how sure each of them is.

The mean of a cell is drawn towards that of the level above it (language, then task, then model) by
the weight of a few observations, so that few results say little. A published score stands for a
good many. Results fade, so that an old failure is forgotten as an old success is. Scores are from
0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

SHRINK_OBSERVATIONS = 4.0  # measured on public data: benchmarks of routing with a task table
PUBLISHED_OBSERVATIONS = 20.0
UNKNOWN_SCORE = 0.5
Z = 1.28  # nine chances in ten, on one side
RESULTS_MIN = 5  # fewer say nothing for or against a published score
CELLS_MAX = 100_000  # models, tasks and languages come from the configuration; this is a backstop
KNOWN_MAX = 1_000  # tasks and languages of one model
FORGOTTEN_OBSERVATIONS = 0.01  # less than that has faded to nothing

_Key = tuple[str, str | None, str | None]


@dataclass(slots=True)
class _Cell:
    total: float = 0.0
    count: float = 0.0


@dataclass(frozen=True, slots=True)
class Quality:
    """The true score is above ``lower`` with nine chances in ten, and below ``upper`` as well.
    ``observations`` are those of this task and language alone; ``published`` is None where nobody
    has measured the model."""

    mean: float
    lower: float
    upper: float
    observations: float
    published: float | None = None

    def is_below(self, floor: float) -> bool:
        """What was published is believed until results surely speak against it, for better or
        worse: chance alone demotes nobody. Of a model without either, nothing bad is known."""
        if self.observations >= RESULTS_MIN:
            if self.upper < floor:
                return True
            if self.lower >= floor:
                return False
        return self.published is not None and self.published < floor

    def is_demoted(self, floor: float) -> bool:
        """It is below by its results, and not already by what was published."""
        return self.is_below(floor) and (self.published is None or self.published >= floor)


NOT_ASKED = Quality(UNKNOWN_SCORE, 0.0, 1.0, 0.0)  # where no decision depends on it


class QualityTable:
    """What was published, and what was seen since. Unknown tasks and languages are ""."""

    def __init__(self) -> None:
        self._published: dict[tuple[str, str], float] = {}
        self._cells: dict[_Key, _Cell] = {}
        self._known: dict[str, dict[tuple[str, str], Quality]] = {}  # worked out since they changed
        self._languages: dict[tuple[str, str], set[str]] = {}  # seen, by model and task
        self.revision = 0  # grows with every change

    def publish(self, scores: Mapping[tuple[str, str], float]) -> None:
        """Scores that others measured, by model and task, in the place of all before; the task ""
        is all tasks together."""
        self._published = {key: _checked(score) for key, score in scores.items()}
        self._known.clear()
        self.revision += 1

    def observe(
        self, model: str, task: str, language: str, score: float, count: float = 1.0
    ) -> bool:
        """One result, or the mean of ``count``. False where the table is full."""
        keys: tuple[_Key, ...] = ((model, None, None), (model, task, None), (model, task, language))
        if len(self._cells) + len(keys) > CELLS_MAX and not all(key in self._cells for key in keys):
            return False
        self._known.pop(model, None)
        self._languages.setdefault((model, task), set()).add(language)
        self.revision += 1
        for key in keys:
            cell = self._cells.setdefault(key, _Cell())
            cell.total += _checked(score) * count
            cell.count += count
        return True

    def fade(self, share: float) -> None:
        """What was seen counts only this share from now on."""
        self._known.clear()
        self.revision += 1
        for key, cell in list(self._cells.items()):
            cell.total *= share
            cell.count *= share
            if cell.count < FORGOTTEN_OBSERVATIONS:
                self._forget(key)

    def _forget(self, key: _Key) -> None:
        model, task, language = key
        del self._cells[key]
        if task is not None and language is not None:
            self._languages[model, task].discard(language)

    def languages(self, model: str, task: str) -> list[str]:
        """Those in which something was seen."""
        return sorted(self._languages.get((model, task), ()))

    def over_languages(self, model: str, task: str) -> Quality:
        """The quality over all languages together."""
        mean, published = self._of_task(model, task)
        cell = self._cells.get((model, task, None))
        seen = 0.0 if cell is None else cell.count
        lower, upper = _interval(mean, max(seen, SHRINK_OBSERVATIONS))
        return Quality(mean, lower, upper, seen, published)

    def quality(self, model: str, task: str, language: str = "") -> Quality:
        known = self._known.setdefault(model, {})
        found = known.get((task, language))
        if found is None:
            if len(known) >= KNOWN_MAX:
                known.clear()  # a caller may invent tasks
            found = known[task, language] = self._work_out(model, task, language)
        return found

    def _work_out(self, model: str, task: str, language: str) -> Quality:
        mean, published = self._of_task(model, task)
        mean, seen = self._drawn((model, task, language), mean, SHRINK_OBSERVATIONS)
        lower, upper = _interval(mean, max(seen, SHRINK_OBSERVATIONS))
        return Quality(mean, lower, upper, seen, published)

    def _of_task(self, model: str, task: str) -> tuple[float, float | None]:
        """The mean over all languages, and what was published."""
        of_model = self._published.get((model, ""))
        of_task = self._published.get((model, task)) if task else None
        mean, weight = UNKNOWN_SCORE, SHRINK_OBSERVATIONS
        if of_model is not None:
            mean, weight = of_model, PUBLISHED_OBSERVATIONS
        mean, _ = self._drawn((model, None, None), mean, weight)
        weight = SHRINK_OBSERVATIONS
        if of_task is not None:
            mean, weight = of_task, PUBLISHED_OBSERVATIONS
        mean, _ = self._drawn((model, task, None), mean, weight)
        return mean, of_model if of_task is None else of_task

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
