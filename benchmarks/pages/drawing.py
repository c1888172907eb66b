"""Plots as SVG that stands inside a page, or in a file: no script, no font, no address.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart; lines also differ
in their markers. Text stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH_IN = 8.0

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK, GREY = "#E69F00", "#56B4E9", "#111111", "#767676"

STYLE: Any = {  # matplotlib names every key in a type of its own
    "svg.fonttype": "none",
    "svg.hashsalt": "baseload",
    "font.size": 10.0,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "figure.facecolor": "white",
    "figure.constrained_layout.w_pad": 0.12,  # a page may have a wider font
    "text.parse_math": False,
}


@dataclass(frozen=True, slots=True)
class Plot:
    title: str
    svg: str
    caption: str  # one sentence: what to see in it


def single_panel(height_in: float) -> tuple[Figure, Axes]:
    figure, axes = stacked_panels(1, height_in)
    return figure, axes[0]


def stacked_panels(count: int, height_in: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    found = figure.subplots(count, 1, sharex=True, squeeze=False)
    return figure, list(found[:, 0])


_NOT_FOR_A_PAGE = (
    re.compile(r"^.*?(?=<svg)", re.DOTALL),
    re.compile(r"<metadata>.*?</metadata>", re.DOTALL),
    re.compile(r' xmlns(:\w+)?="[^"]*"'),
    re.compile(r"<!--.*?-->\s*", re.DOTALL),
)


def as_svg(figure: Figure) -> str:
    """The plot as SVG that may stand in a page, several times over: see ``numbered``."""
    file = StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    for pattern in _NOT_FOR_A_PAGE:
        text = pattern.sub("", text)
    return text.replace("xlink:href=", "href=").strip()


def numbered(text: str, number: int) -> str:
    """Its names made its own, since those of a page must differ."""
    text = re.sub(r'(?<= id=")', f"p{number}-", text)
    return re.sub(r'(?<=url\(#)|(?<=href="#)', f"p{number}-", text)


def as_file(plot: Plot) -> str:
    """The plot by itself: outside of a page an SVG has to say that it is one."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(plot.title)}" '
    return plot.svg.replace("<svg ", head, 1) + "\n"


def labelled(drawn: Iterable[Plot]) -> list[tuple[Plot, str]]:
    """Each with its SVG as it may stand in one page with the others: what ``plots`` shows."""
    return [(plot, _labelled(plot, at)) for at, plot in enumerate(drawn)]


def _labelled(plot: Plot, number: int) -> str:
    shown = f'<svg role="img" aria-label="{escape(plot.title)}" '
    return numbered(plot.svg, number).replace("<svg ", shown, 1)
