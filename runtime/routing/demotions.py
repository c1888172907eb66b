"""How the candidates of rules stand, and which of them fell below their floor or came back.

A demotion is by results: a model whose published score is below the floor was never above it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from scheduler.routing.quality_table import Quality, QualityTable
from scheduler.routing.rule import Candidate, Rule

log = logging.getLogger("baseload.quality")


class RuleQuality(NamedTuple):
    """A candidate at a task, in one language; None is all languages together, by which nothing is
    decided."""

    rule: str
    model: str
    task: str
    language: str | None
    floor: float
    quality: Quality

    @property
    def is_demoted(self) -> bool:
        return self.language is not None and self.quality.is_demoted(self.floor)


class QualitySeen(NamedTuple):
    """``demotions`` are falls since the start, by rule and model."""

    standings: Sequence[RuleQuality] = ()
    demotions: Mapping[tuple[str, str], int] = {}


NOTHING_SEEN = QualitySeen()

_Key = tuple[str, str, str, str | None]


class Demotions:
    """``counts`` are falls since the start, by rule and model. Those that had fallen before are
    told in the log and not counted again."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._below: dict[_Key, RuleQuality] = {}
        self._has_looked = False

    def look(self, found: Iterable[RuleQuality]) -> None:
        """Compares with what was found the last time."""
        present = {each[:4]: each for each in found}
        below = {key: each for key, each in present.items() if each.is_demoted}
        for key, each in below.items():
            if key not in self._below:
                log.warning("%s: it is left out until that changes", _said(each, "is below"))
                if self._has_looked:
                    self.counts[each.rule, each.model] += 1
        for key in self._below.keys() - below.keys():
            if (back := present.get(key)) is not None:
                log.warning("%s: it may answer again", _said(back, "is no longer below"))
            else:
                rule, model, *_ = key
                log.warning("rule %s: %s may answer again, its results have faded", rule, model)
        self._below, self._has_looked = below, True


def standings(
    table: QualityTable, rule: Rule, candidate: Candidate, task: str
) -> Iterator[RuleQuality]:
    """How candidates stand over all languages, and in each that something was seen of."""
    model, floor = candidate.model, rule.floor(candidate)
    together = table.over_languages(model, task)
    yield RuleQuality(rule.name, model, task, None, floor, together)
    for language in table.languages(model, task):
        quality = table.quality(model, task, language)
        yield RuleQuality(rule.name, model, task, language, floor, quality)


def _said(found: RuleQuality, how: str) -> str:
    quality = found.quality
    return (
        f"rule {found.rule}: {found.model} {how} its floor of {found.floor:g} for task "
        f"{found.task or '(none)'} in {found.language or 'an unknown language'}, with "
        f"{quality.lower:.3f} to {quality.upper:.3f} from {quality.observations:.1f} results"
    )
