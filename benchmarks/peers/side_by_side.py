"""Ways to the same engines, taken in turn: direct, one way, direct, the next, direct, …

Each way stands between two direct cells, and its ratio is to their mean: a machine that slows down
or recovers is in both sides of it. A round goes through every group of ways, each to engines of its
own, so that groups that are compared have seen the same minutes. The order of the groups, and of
the ways in them, is turned round from round to round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import TypeVar

from benchmarks.rig.closed_loop import ClosedLoop, Measured, run_apart
from benchmarks.rig.common import BenchmarkError, Target
from benchmarks.rig.comparison import contrast, direct_first

FIGURES = ("req_s", "chunks_s", "ttft_ms_p50", "ttft_ms_p99")
ANSWER_TOKENS = 64
DIRECT = "direct"
SECOND_TRY = 4.0  # times the window; seconds to settle

Play = Callable[["Way", int], Measured]  # of a concurrency
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Way:
    """``pids`` tells the gateway's own processes, whose CPU is counted."""

    name: str
    targets: tuple[Target, ...]  # asked round robin
    pids: Callable[[], Mapping[str, int]] = dict


@dataclass(frozen=True, slots=True)
class Group:
    """``ways`` stand before the engines that ``direct`` asks. ``engines`` names these."""

    engines: str
    direct: Way
    ways: Sequence[Way]


@dataclass(frozen=True, slots=True)
class Sample:
    way: str
    before: Measured  # direct, as ``after``
    through: Measured
    after: Measured

    def pair(self, figure: str) -> tuple[float, float]:
        """The pair (direct, through)."""
        beside = fmean(getattr(each, figure) for each in (self.before, self.after))
        return beside, getattr(self.through, figure)

    @property
    def chunk_share(self) -> float:
        """The chunks through this way as a share of what the engines gave directly at the time."""
        beside, through = self.pair("chunks_s")
        return through / beside

    @property
    def cpu_us_per_chunk(self) -> float:
        return sum(self.through.cpu_s.values()) * 1e6 / self.through.chunks

    def brief(self) -> str:
        return (
            f"{self.way}: {self.through.chunks_s:.0f} chunks/s, {self.chunk_share:.2f} of direct, "
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
        load = ClosedLoop(way.targets, concurrency, ANSWER_TOKENS, window_s, watched=watched)
        try:
            return run_apart(load)
        except BenchmarkError:
            return run_apart(replace(load, window_s=window_s * SECOND_TRY, settle_s=SECOND_TRY))

    return play


def in_turn(several: Sequence[T], number: int) -> list[T]:
    """The ways in the order of this round."""
    return list(several if direct_first(number) else reversed(several))


def take_turns(
    group: Group, concurrency: int, number: int, play: Play
) -> tuple[list[Sample], dict[str, str]]:
    """Its part of a round, and why a way has no sample in it. Raises BenchmarkError if direct has
    none."""
    samples: list[Sample] = []
    failures: dict[str, str] = {}
    before = play(group.direct, concurrency)
    for way in in_turn(group.ways, number):
        try:
            through = play(way, concurrency)
        except BenchmarkError as error:
            failures[way.name] = str(error)
            continue
        after = play(group.direct, concurrency)
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
