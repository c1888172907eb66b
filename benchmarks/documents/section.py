"""A part of a page, with the plots that belong to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.documents.markdown import paragraphs, plain
from benchmarks.pages.drawing import Plot

PLOTS = "docs/plots"


@dataclass(frozen=True, slots=True)
class Section:
    """``body`` is Markdown; ``plots`` follow it, by the name of their file without its ending.
    ``short`` is what the README says of it, or empty.
    """

    title: str
    body: str
    plots: Mapping[str, Plot] = field(default_factory=dict)
    short: str = ""

    def text(self) -> str:
        drawn = (
            f"![{plain(plot.title)}](plots/{name}.svg)\n\n*{plain(plot.caption)}*"
            for name, plot in self.plots.items()
        )
        return paragraphs(f"## {self.title}", self.body, *drawn)
