"""docs/numbers.md: every measurement that there is, in the order in which readers ask for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from benchmarks.documents import (
    bench,
    cross_check,
    optimality_gap,
    other_figures,
    overhead,
    peers,
    planner,
    scale,
    sim_vs_real,
)
from benchmarks.documents.markdown import paragraphs
from benchmarks.documents.results import Result, read_results
from benchmarks.documents.section import Section

Write: TypeAlias = Callable[[Result], Section]

# Which files a section is written from; what matches none of them comes last.
SECTIONS: tuple[tuple[str, Write], ...] = (
    ("overhead.json", overhead.section),
    ("peers.json", peers.section),
    ("bench*.json", bench.section),
    ("second_opinion.json", cross_check.section),
    ("scheduler.json", optimality_gap.section),
    ("scale.json", scale.section),
    ("honesty.json", sim_vs_real.section),
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
    return found + [other_figures.section(result) for result in left.values()]


def page(found: Sequence[Section]) -> str:
    return paragraphs("# Numbers", LEAD, *(section.text() for section in found))


def in_short(found: Sequence[Section]) -> str:
    """For the README."""
    return paragraphs(*(section.short for section in found))
