"""Blocks of a page that is otherwise written by hand: what stands between two marker lines.

A marker without its other half, a block twice or one that nobody writes is refused: silently
skipped, it would grow old.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_MARKER = re.compile(r"^<!-- (begin|end) ([a-z0-9-]+)(: written by make docs)? -->$", re.MULTILINE)


class BadBlocks(ValueError):
    """The markers of a page do not fit each other, or what there is to write."""


def block(name: str, body: str) -> str:
    inner = f"{body}\n" if body else ""
    return f"<!-- begin {name}: written by make docs -->\n{inner}<!-- end {name} -->"


def filled(page: str, bodies: Mapping[str, str]) -> str:
    """The page with the body of each block in its place; the rest is as it was."""
    made, after, left = [], 0, dict(bodies)
    markers = _MARKER.finditer(page)
    for begin in markers:
        name = begin[2]
        if begin[1] != "begin":
            raise BadBlocks(f"{name}: ends without a beginning")
        end = next(markers, None)
        if end is None or end[1] != "end" or end[2] != name:
            raise BadBlocks(f"{name}: begins and does not end before the next marker")
        if name not in left:
            raise BadBlocks(f"{name}: nothing is written there, or it stands twice")
        made += [page[after : begin.start()], block(name, left.pop(name))]
        after = end.end()
    if left:
        raise BadBlocks(f"{', '.join(sorted(left))}: the page has no such block")
    return "".join(made) + page[after:]
