"""Answers an unknown name with the known ones that look like it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar

NAME_CHARS_MAX = 64
NEAR_MATCHES_MAX = 3


def near_names(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """The known names that look most like ``name``, however it is capitalised; often none."""
    # Cut first: the name comes from outside, and the search is quadratic in its length.
    asked, spelt = name[:NAME_CHARS_MAX].lower(), {each.lower(): each for each in known}
    found = difflib.get_close_matches(asked, list(spelt), NEAR_MATCHES_MAX)
    return tuple(spelt[each] for each in found)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question that names them, or no text."""
    near = near_names(name, known)
    return f"did you mean {', '.join(near)}?" if near else ""


class UnknownName(KeyError):
    """A name that a data file does not hold; ``near`` lists known names that look like it."""

    noun: ClassVar[str]
    where: ClassVar[str]

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name[:NAME_CHARS_MAX]
        self.near = near_names(name, known)
        super().__init__(self.name)

    @property
    def wrong(self) -> str:
        return f"no {self.noun} {self.name!r} in the {self.where}"

    @property
    def hint(self) -> str:
        """A question that names what is near; empty where nothing is."""
        return f"did you mean {', '.join(self.near)}?" if self.near else ""

    def __str__(self) -> str:
        return f"{self.wrong}; {self.hint}" if self.near else self.wrong
