"""Where a gateway takes its time from: a test gives it a clock that it moves by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


def _unix_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Clock:
    """``monotonic_s`` and ``monotonic_ns`` are one time in two units."""

    monotonic_s: Callable[[], float] = time.monotonic
    monotonic_ns: Callable[[], int] = time.monotonic_ns
    unix_ms: Callable[[], int] = _unix_ms


SYSTEM = Clock()
