"""Two ways to the same engines, measured in turn, as medians over pairs.

A pair is one cell of each way, run one after the other; the order alternates from pair to pair.
Ratios and differences are taken within a pair, so that a slow minute of the machine is in both
sides of them, and only then the median over the pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.rig.closed_loop import Measured

# Field of ``Measured`` → how a reader calls it.
METRICS = {
    "req_s": "req/s",
    "ttft_ms_p50": "TTFT p50 ms",
    "ttft_ms_p99": "TTFT p99 ms",
    "e2e_ms_p50": "E2E p50 ms",
}
SCHEDULER = "scheduler"
HAPROXY = "haproxy"


@dataclass(frozen=True, slots=True)
class Pair:
    direct: Measured
    baseload: Measured


@dataclass(frozen=True, slots=True)
class Contrast:
    """``direct`` and ``baseload`` are medians of their own; the rest is of the pairs.

    A wide range of ratios says that the machine was not quiet.
    """

    direct: float
    baseload: float
    ratio: float
    ratio_min: float
    ratio_max: float
    difference: float


@dataclass(frozen=True, slots=True)
class Comparison:
    concurrency: int
    contrasts: dict[str, Contrast]  # by METRICS
    cpu_us_per_chunk: dict[str, float]  # of the watched processes, through Baseload
    errors: int
    pairs: tuple[Pair, ...]


def direct_first(pair: int) -> bool:
    """A B, B A, A B, …: neither way always comes second."""
    return pair % 2 == 0


def contrast(pairs: Sequence[tuple[float, float]]) -> Contrast:
    """The contrast of (direct, baseload) values."""
    ratios = [baseload / direct for direct, baseload in pairs]
    return Contrast(
        direct=median(direct for direct, _ in pairs),
        baseload=median(baseload for _, baseload in pairs),
        ratio=median(ratios),
        ratio_min=min(ratios),
        ratio_max=max(ratios),
        difference=median(baseload - direct for direct, baseload in pairs),
    )


def compare(pairs: Sequence[Pair]) -> Comparison:
    return Comparison(
        concurrency=pairs[0].direct.concurrency,
        contrasts={
            name: contrast([(getattr(p.direct, name), getattr(p.baseload, name)) for p in pairs])
            for name in METRICS
        },
        cpu_us_per_chunk={
            name: median(pair.baseload.cpu_us_per_chunk(name) for pair in pairs)
            for name in pairs[0].baseload.cpu_s
        },
        errors=sum(pair.direct.errors + pair.baseload.errors for pair in pairs),
        pairs=tuple(pairs),
    )
