"""The scheduler with a stopwatch: what its decisions cost, reports, progress and ticks included."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Stopwatch:
    __slots__ = ("total_ns",)

    def __init__(self) -> None:
        self.total_ns = 0

    def time(self, event: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        start_ns = perf_counter_ns()
        result = event(*args, **kwargs)
        self.total_ns += perf_counter_ns() - start_ns
        return result
