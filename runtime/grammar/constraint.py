"""One thing that an answer is to be held to, and that an engine would compile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Constraint:
    """``text`` is a JSON schema or a regular expression, found at ``at`` of the request.

    ``patterns`` are the regular expressions of a schema, each with where it stands in there.
    """

    kind: Literal["json", "regex"]
    text: str
    at: Path
    patterns: tuple[tuple[Path, str], ...] = ()
