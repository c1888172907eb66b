"""Ctrl-C or SIGTERM as a wish to stop: the run ends in order, and what it has is kept.

A second one ends the program where it stands.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Halt:
    def __init__(self) -> None:
        self.is_wanted = False
        self._before: list[Any] = []

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.is_wanted:
            raise KeyboardInterrupt
        self.is_wanted = True

    def __enter__(self) -> Self:
        self._before = [signal.signal(each, self._hear) for each in SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in zip(SIGNALS, self._before, strict=True):
            signal.signal(each, handler)
