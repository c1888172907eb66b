"""Whether a target says that another model has answered than the one that it was asked for."""

from __future__ import annotations

import re
from collections.abc import Collection

# A version that vendors write behind the name: a day, a month and day, or a year and month.
_DATED = re.compile(r"[-_.@:]v?(20\d{2}-?\d{2}(-?\d{2})?|\d{4})")


def is_other_model(asked: str, served: str, served_as: Collection[str] = ()) -> bool:
    """``served_as`` are further names that are right. A path before a name is no part of it."""
    if served in served_as:
        return False
    asked, served = _bare(asked), _bare(served)
    rest = served.removeprefix(asked)
    return served != asked and (rest == served or _DATED.fullmatch(rest) is None)


def _bare(name: str) -> str:
    return name.strip().rpartition("/")[2].casefold()
