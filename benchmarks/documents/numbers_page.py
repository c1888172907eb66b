"""docs/numbers.md: every measurement that there is, in the order in which readers ask for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.documents import (
    bench_section,
    optimality_gap_section,
    overhead_section,
    peers_section,
    planner_section,
    two_pools_section,
    unsectioned_result,
)
from benchmarks.documents.markdown import paragraphs
from benchmarks.documents.results import Result, read_results
from benchmarks.documents.section import Section
from benchmarks.documents.template import section_of
from benchmarks.studies.cross_check import FIGURES

Write: TypeAlias = Callable[[Result], Section]


def _as_it_is(template: str, **names: Any) -> Write:
    """For a document that its template can show without further computing."""
    return lambda result: section_of(template, result=result, document=result.document, **names)


# Which files a section is written from; what matches none of them comes last.
SECTIONS: tuple[tuple[str, Write], ...] = (
    ("overhead.json", overhead_section.section),
    ("peers.json", peers_section.section),
    ("bench*.json", bench_section.section),
    ("second_opinion.json", _as_it_is("cross_check", figures=FIGURES)),
    ("scheduler.json", optimality_gap_section.section),
    ("two_pools.json", two_pools_section.section),
    ("scale.json", _as_it_is("scale")),
    ("honesty.json", _as_it_is("sim_vs_real")),
    ("planner.json", planner_section.section),
)


def sections(folder: Path) -> list[Section]:
    """The sections of the page, of the results that are there."""
    found = []
    left = {result.name: result for result in read_results(folder, "*.json")}
    for pattern, write in SECTIONS:
        for name in sorted(path.name for path in folder.glob(pattern)):
            found.append(write(left.pop(name)))
    return found + [unsectioned_result.section(result) for result in left.values()]


def in_short(found: Sequence[Section]) -> str:
    """The few numbers that the README shows."""
    return paragraphs(*(section.short for section in found))
