"""What a word of the code means, for readers of documents and ledgers: the comment beside it."""

from __future__ import annotations

import inspect
import re
from enum import StrEnum

_MEMBER = re.compile(r'^ {4}([A-Z0-9_]+) = "[^"]*"(?:  # (.*))?$', re.MULTILINE)


class NoMeaning(ValueError):
    """A key, a series, a header or a value without a word in the code on what it is."""


def commented(kind: type[StrEnum]) -> dict[str, str]:
    """Meanings by value. NoMeaning where a comment is missing."""
    comments = dict(_MEMBER.findall(inspect.getsource(kind)))
    for member in kind:
        if not comments.get(member.name):
            raise NoMeaning(f"{kind.__name__}.{member.name} has no meaning: write one beside it")
    return {member.value: comments[member.name] for member in kind}
