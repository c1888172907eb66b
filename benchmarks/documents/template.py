"""Sections and pages from their templates: prose and tables stand in ``templates``, what is
computed comes from the code.

The template of a section sets ``title`` and ``body``, and ``short`` where the README says something
of it. A name that the code does not give is an error; a figure that is None is shown as a dash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from benchmarks.documents.markdown import plain, short_count
from benchmarks.documents.section import Section
from benchmarks.economics.format_figures import figure, monthly_usd, percent
from benchmarks.load.figures import dollars, milliseconds, per_second
from benchmarks.pages import UNKNOWN
from benchmarks.pages.drawing import Plot
from benchmarks.pages.templates import environment
from benchmarks.simulation.figures import duration, share, usd

_GAP = re.compile(r"\n{3,}")


def _yes_or_no(value: bool | None, unknown: str = UNKNOWN) -> str:
    return unknown if value is None else "yes" if value else "no"


def _ratio(found: Mapping[str, float], digits: int = 2) -> str:
    """With the range that it was found in."""
    middle, low, high = (
        f"{found[name]:.{digits}f}" for name in ("ratio", "ratio_min", "ratio_max")
    )
    return f"{middle} ({low}–{high})"


_TEMPLATES = environment(
    "benchmarks.documents",
    is_html=False,
    dollars=dollars,
    duration=duration,
    figure=figure,
    milliseconds=milliseconds,
    monthly_usd=monthly_usd,
    per_second=per_second,
    percent=percent,
    share=share,
    short_count=short_count,
    usd=usd,
)
_TEMPLATES.filters |= {
    "plain": lambda value: plain(str(value)),
    "ratio": _ratio,
    "yes_or_no": _yes_or_no,
}


def section_of(template: str, plots: Mapping[str, Plot] | None = None, **names: Any) -> Section:
    """The section that ``template`` describes, filled with ``names``."""
    filled = _TEMPLATES.get_template(f"{template}.md.j2").make_module(names)
    title, body, short = (_tidy(getattr(filled, part, "")) for part in ("title", "body", "short"))
    return Section(title, body, plots or {}, short)


def page_of(template: str, sections: list[Section]) -> str:
    return _tidy(_TEMPLATES.get_template(f"{template}.md.j2").render(sections=sections))


def _tidy(text: str) -> str:
    """Paragraphs that turned out empty leave no gap."""
    return _GAP.sub("\n\n", text).strip()
