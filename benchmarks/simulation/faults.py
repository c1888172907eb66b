"""What goes wrong in a simulated run, if anything. The default is a world without failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

NOTICE_S = 1.0  # from a replica's death until the scheduler is told that it left


@dataclass(frozen=True, slots=True)
class Death:
    """A replica dies with all that it holds, and boots again after a while, or never (None)."""

    replica: int  # its number, from 0
    at_s: float
    back_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Faults:
    """A purchase fails by chance, when its first token would have come."""

    deaths: Sequence[Death] = ()
    offer_failure_share: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.offer_failure_share <= 1:
            raise ValueError("the share of purchases that fail must be between 0 and 1")
        for death in self.deaths:
            back_s = 0.0 if death.back_after_s is None else death.back_after_s
            if death.replica < 0 or not (isfinite(death.at_s) and death.at_s >= 0 and back_s >= 0):
                raise ValueError(f"{death} cannot happen")
