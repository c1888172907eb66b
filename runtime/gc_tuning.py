"""How often Python looks for garbage that only its collector finds, in a process that serves."""

from __future__ import annotations

import gc

ALLOCATIONS = 50_000  # between young collections; requests free themselves by count


def collect_rarely() -> None:
    """What start-up made lives for ever: the collector need not walk it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS)
