"""Templates of pages: what is computed comes from the code, and how it is said stands in them.

A name that the code does not give is an error; a figure that is None is shown as a dash.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Undefined

from benchmarks.pages import UNKNOWN


def environment(package: str, *, is_html: bool, **filters: Callable[..., str]) -> Environment:
    """The Jinja environment of the templates in ``package`` and here. In HTML all that is filled in
    is escaped; the filters show a figure that there is."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("benchmarks.pages")]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=is_html,  # noqa: S701 -- Markdown goes through ``plain`` instead
    )
    made.filters |= {name: _or_dash(text) for name, text in filters.items()}
    made.filters["fmt"] = _or_dash(format)
    return made


def _or_dash(text: Callable[..., str]) -> Callable[..., str]:
    def shown(value: Any, *more: Any) -> str:
        if isinstance(value, Undefined):
            return str(value)  # raises, and says its name
        return UNKNOWN if value is None else text(value, *more)

    return shown
