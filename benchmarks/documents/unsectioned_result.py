"""A result that no section of its own is written for: the figures at the top of its document, and
its lists of plain entries as tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from benchmarks.documents.markdown import pairs, paragraphs, plain, table
from benchmarks.documents.results import Result
from benchmarks.documents.section import Section
from benchmarks.pages import UNKNOWN

ROWS_MAX = 64  # a longer list is raw data
_OF_THE_ORIGIN = ("date", "command")


def section(result: Result) -> Section:
    said, figures, tables = {}, [], []
    for name, value in result.document.items():
        label = _label(name)
        if name in _OF_THE_ORIGIN:
            continue
        if isinstance(value, str):
            said[label] = plain(value)
        elif isinstance(value, int | float):
            figures.append([label, _text(value)])
        elif _is_table(value):
            tables += [f"{label}:", _table(value)]
    shown = table(("figure", "value"), figures) if figures else ""
    body = paragraphs(shown, *tables, pairs(said), result.in_full("not recorded"))
    return Section(_label(PurePath(result.name).stem.replace("-", " ")), body)


def _is_table(value: object) -> bool:
    return (
        isinstance(value, list)
        and 0 < len(value) <= ROWS_MAX
        and all(isinstance(entry, dict) and entry for entry in value)
        and not any(isinstance(cell, list | dict) for entry in value for cell in entry.values())
    )


def _table(entries: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for entry in entries for name in entry))
    rows = [[_text(entry.get(name)) for name in names] for entry in entries]
    return table([_label(name) for name in names], rows)


def _label(name: str) -> str:
    text = plain(name.replace("_", " "))
    return text[:1].upper() + text[1:]


def _text(value: object) -> str:
    match value:
        case None:
            return UNKNOWN
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return f"{value:,.6g}"
        case _:
            return plain(str(value))
