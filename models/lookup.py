"""Answers an unknown name with the known ones that look like it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar

NAME_CHARS_MAX = 64
NEAR_MATCHES_MAX = 3


class UnknownName(KeyError):
    """A name that a data file does not hold; ``near`` lists known names that look like it."""

    noun: ClassVar[str]
    where: ClassVar[str]

    def __init__(self, name: str, known: Iterable[str]) -> None:
        # Cut first: the name comes from outside, and the search is quadratic in its length.
        self.name = name[:NAME_CHARS_MAX].lower()
        self.near = tuple(difflib.get_close_matches(self.name, list(known), NEAR_MATCHES_MAX))
        super().__init__(self.name)

    def __str__(self) -> str:
        hint = f"; did you mean {', '.join(self.near)}?" if self.near else ""
        return f"no {self.noun} {self.name!r} in the {self.where}{hint}"
