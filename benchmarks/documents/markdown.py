"""Markdown as this project writes it. Text from results is data: nothing in it becomes markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_TAG = re.compile("<(?=[A-Za-z/!?])")
_RULES = {"l": "---", "r": "--:"}


def plain(text: str) -> str:
    """The text as it may stand anywhere, in the cell of a table too: one line, without a tag."""
    line = " ".join(text.split()).replace("|", "\\|").replace("*", "\\*")
    return _TAG.sub("&lt;", line)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], sides: str = "l") -> str:
    """Cells may hold markup. ``sides`` has an ``l`` or ``r`` per column; those that it does not
    reach hold figures, on the right.
    """
    lines = [heads, [_RULES[side] for side in sides.ljust(len(heads), "r")]]
    for row in rows:
        if len(row) != len(heads):
            raise ValueError(f"a row of {len(row)} cells under {len(heads)} heads: {row[0]!r}")
        lines.append(row)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def pairs(entries: Mapping[str, str]) -> str:
    """A name and its text, line by line."""
    return "\n".join(f"- {name}: {text}" for name, text in entries.items())


def paragraphs(*parts: str) -> str:
    """What is empty is left out."""
    return "\n\n".join(part for part in parts if part)


def short_count(number: int) -> str:
    """Three digits and a unit."""
    for unit, size in (("T", 10**12), ("B", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)
