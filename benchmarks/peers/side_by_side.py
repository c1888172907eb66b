"""Ways to the same engines, taken in turn: direct, one way, direct, the next, direct, …

Each way stands between two direct cells, and its ratio is to their mean: a machine that slows down
or recovers is in both sides of it. The order of the ways is turned round from round to round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

from benchmarks.client import BenchmarkError, Load, Measured, Target, run_apart
from benchmarks.comparison import contrast, direct_first

FIGURES = ("req_s", "chunks_s", "ttft_ms_p50", "ttft_ms_p99")
ANSWER_TOKENS = 64
DIRECT = "direct"
SECOND_TRY = 4.0  # times the window; seconds to settle

Play = Callable[["Way", int], Measured]  # of a concurrency


@dataclass(frozen=True, slots=True)
class Way:
    """``pids`` tells the gateway's own processes, whose CPU is counted."""

    name: str
    targets: tuple[Target, ...]  # asked round robin
    pids: Callable[[], Mapping[str, int]] = dict


@dataclass(frozen=True, slots=True)
class Sample:
    way: str
    before: Measured  # direct, as ``after``
    through: Measured
    after: Measured

    def pair(self, figure: str) -> tuple[float, float]:
        """Of (direct, through)."""
        beside = fmean(getattr(each, figure) for each in (self.before, self.after))
        return beside, getattr(self.through, figure)

    @property
    def cpu_us_per_chunk(self) -> float:
        return sum(self.through.cpu_s.values()) * 1e6 / self.through.chunks

    def brief(self) -> str:
        beside, chunks_s = self.pair("chunks_s")
        return (
            f"{self.way}: {chunks_s:.0f} chunks/s, {chunks_s / beside:.2f} of direct, "
            f"{self.cpu_us_per_chunk:.1f} us CPU per chunk"
        )


@dataclass(frozen=True, slots=True)
class Against:
    """Medians over the samples. A wide range of ratios says that the machine was not quiet."""

    direct: float
    through: float
    ratio: float
    ratio_min: float
    ratio_max: float


@dataclass(frozen=True, slots=True)
class Row:
    """One way at one concurrency. ``cpu_us_per_chunk`` is of the gateway's own processes."""

    way: str
    concurrency: int
    samples: int
    figures: dict[str, Against]  # by FIGURES
    cpu_us_per_chunk: float
    client_cpu_share: float  # of one core, the most; near 1 the client is what limits
    errors: int
    first_error: str | None


def player(window_s: float) -> Play:
    """Who ends no answer in the window is given a longer one."""

    def play(way: Way, concurrency: int) -> Measured:
        watched = dict(way.pids())
        load = Load(way.targets, concurrency, ANSWER_TOKENS, window_s, watched=watched)
        try:
            return run_apart(load)
        except BenchmarkError:
            return run_apart(replace(load, window_s=window_s * SECOND_TRY, settle_s=SECOND_TRY))

    return play


def take_turns(
    direct: Way, ways: Sequence[Way], concurrency: int, number: int, play: Play
) -> tuple[list[Sample], dict[str, str]]:
    """One round, and why a way has no sample in it. Raises BenchmarkError if direct has none."""
    samples: list[Sample] = []
    failures: dict[str, str] = {}
    before = play(direct, concurrency)
    for way in ways if direct_first(number) else reversed(ways):
        try:
            through = play(way, concurrency)
        except BenchmarkError as error:
            failures[way.name] = str(error)
            continue
        after = play(direct, concurrency)
        samples.append(Sample(way.name, before, through, after))
        before = after
    return samples, failures


def row_of(samples: Sequence[Sample]) -> Row:
    """All of one way at one concurrency."""
    first_errors = [each.through.first_error for each in samples]
    return Row(
        way=samples[0].way,
        concurrency=samples[0].through.concurrency,
        samples=len(samples),
        figures={name: _against([each.pair(name) for each in samples]) for name in FIGURES},
        cpu_us_per_chunk=median(each.cpu_us_per_chunk for each in samples),
        client_cpu_share=max(each.through.client_cpu_share for each in samples),
        errors=sum(each.through.errors for each in samples),
        first_error=next((each for each in first_errors if each is not None), None),
    )


def _against(pairs: Sequence[tuple[float, float]]) -> Against:
    found = contrast(pairs)
    return Against(found.direct, found.baseload, found.ratio, found.ratio_min, found.ratio_max)
