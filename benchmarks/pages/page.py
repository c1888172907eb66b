"""A page for people: one HTML file without script, that loads nothing from anywhere.

All of its text is escaped: names of files, models and offers come from outside. How a page looks is
in ``templates``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Protocol

from markupsafe import Markup

from benchmarks.pages.drawing import Plot, numbered
from benchmarks.pages.templates import environment

_TEMPLATES = environment("benchmarks.pages", is_html=True)
_PARTS: Any = _TEMPLATES.get_template("parts.html.j2").module


class Named(Protocol):
    """A figure of a table, and what it means."""

    @property
    def label(self) -> str: ...
    @property
    def says(self) -> str: ...


def _html(part: str, *given: object) -> Markup:
    made: Markup = getattr(_PARTS, part)(*given)
    return made


def page(title: str, parts: Iterable[Markup]) -> str:
    """``parts`` are made by the functions below."""
    return _TEMPLATES.get_template("page.html.j2").render(title=title, parts=parts)


def head(title: str, lead: str, verdict: str | None = None) -> Markup:
    return _html("head", title, lead, verdict)


def row(
    heading: str,
    cells: Sequence[str],
    tag: str = "td",
    style: str = "",
    says: str | None = None,
) -> Markup:
    """``says`` is a last cell that says in words what the row is."""
    return _html("row", heading, cells, tag, style, says)


def section(title: str, rows: Sequence[Markup], style: str = "") -> Markup:
    return _html("section", title, rows, style)


def pairs(title: str, entries: Mapping[str, str]) -> Markup:
    """A name and its text, line by line."""
    return _html("pairs", title, entries)


def meanings(figures: Iterable[Named]) -> Markup:
    return _html("meanings", figures)


def notes(texts: Iterable[str]) -> Markup:
    return _html("notes", texts)


def plots(drawn: Iterable[Plot], title: str = "Plots") -> Markup:
    """An empty title leaves them without a heading of their own."""
    return _html("plots", title, labelled(drawn))


def labelled(drawn: Iterable[Plot]) -> list[tuple[Plot, str]]:
    """Each with its SVG as it may stand in a page beside the others."""
    return [(plot, _labelled(plot, at)) for at, plot in enumerate(drawn)]


def _labelled(plot: Plot, number: int) -> str:
    shown = f'<svg role="img" aria-label="{escape(plot.title)}" '
    return numbered(plot.svg, number).replace("<svg ", shown, 1)
