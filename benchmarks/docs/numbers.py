"""docs/numbers.md: every measurement that there is, in the order in which readers ask for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from benchmarks.docs import (
    bench,
    honesty,
    other,
    overhead,
    peers,
    planner,
    regret,
    scale,
    second_opinion,
)
from benchmarks.docs.markdown import paragraphs
from benchmarks.docs.results import Result, read_results
from benchmarks.docs.section import Section

Write: TypeAlias = Callable[[Result], Section]

# Which files a section is written from; what matches none of them comes last.
SECTIONS: tuple[tuple[str, Write], ...] = (
    ("overhead.json", overhead.section),
    ("peers.json", peers.section),
    ("bench*.json", bench.section),
    ("second_opinion.json", second_opinion.section),
    ("scheduler.json", regret.section),
    ("scale.json", scale.section),
    ("honesty.json", honesty.section),
    ("planner.json", planner.section),
)
LEAD = (
    "Each section says when and on what it was measured, and what to run to measure it again. "
    "`make docs` writes this page from [benchmarks/results](../benchmarks/results). Differences "
    "under 20 % between single runs are noise on a machine of two cores."
)


def sections(folder: Path) -> list[Section]:
    """Of the results that are there."""
    found = []
    left = {result.name: result for result in read_results(folder, "*.json")}
    for pattern, write in SECTIONS:
        for name in sorted(path.name for path in folder.glob(pattern)):
            found.append(write(left.pop(name)))
    return found + [other.section(result) for result in left.values()]


def page(found: Sequence[Section]) -> str:
    return paragraphs("# Numbers", LEAD, *(section.text() for section in found))


def in_short(found: Sequence[Section]) -> str:
    """For the README."""
    return paragraphs(*(section.short for section in found))
