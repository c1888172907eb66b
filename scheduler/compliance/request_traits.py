"""What rules may ask of a request, after everything said and found was joined."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Protection(IntEnum):
    """How much a text needs; a higher one includes what the lower ones ask."""

    PUBLIC = 0
    INTERNAL = 1
    PII = 2
    REGULATED = 3


@dataclass(frozen=True, slots=True)
class Traits:
    """``user_in`` is the jurisdiction of the user, None where nobody said it: then every rule
    about users applies. ``data_classes`` are those of its tenant and its tags, such as "phi"."""

    user_in: str | None
    protection: Protection
    data_classes: frozenset[str] = frozenset()

    @property
    def is_personal(self) -> bool:
        return self.protection >= Protection.PII


def highest(*protections: Protection) -> Protection:
    """What is said, found, or the floor of a key can only raise it."""
    return max(protections)
