"""A sum over the last span of time, never less than what really fell into it.

Time is cut into slots. One slot more than the span is kept, so what falls out is always older
than the span. Amounts may be corrected later in the slot where they were put.
"""

from __future__ import annotations

from collections import deque
from math import floor

SLOTS = 60


class SlidingSum:
    __slots__ = ("_slot_s", "_slots", "total")

    def __init__(self, span_s: float) -> None:
        self._slot_s = span_s / SLOTS
        self._slots: deque[list[int]] = deque()  # [slot number, amount], oldest first
        self.total = 0

    def add(self, amount: int, now: float) -> int:
        """The number of the slot, for ``correct``."""
        number = floor(now / self._slot_s)
        self.forget(now)
        if not self._slots or self._slots[-1][0] < number:
            self._slots.append([number, 0])
        self._slots[-1][1] += amount
        self.total += amount
        return self._slots[-1][0]

    def correct(self, number: int, difference: int) -> bool:
        """Corrects a slot. It has no effect, and is False, if the slot has fallen out."""
        for slot in self._slots:
            if slot[0] == number:
                slot[1] += difference
                self.total += difference
                return True
        return False

    def forget(self, now: float) -> None:
        oldest = floor(now / self._slot_s) - SLOTS
        while self._slots and self._slots[0][0] < oldest:
            self.total -= self._slots.popleft()[1]

    def falls_to(self, most: int, now: float) -> float:
        """Seconds until no more than ``most`` are left, if nothing is added or corrected."""
        left = self.total
        if left <= most:
            return 0.0
        for number, amount in self._slots:
            left -= amount
            if left <= most:
                return max(0.0, (number + SLOTS + 1) * self._slot_s - now)
        raise ValueError("a sum of amounts that are not negative falls to 0 and no further")
