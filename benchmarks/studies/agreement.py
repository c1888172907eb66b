"""One run and its simulation side by side, and whether they agree within what is promised.

Times to first token are of answers that came from here: those of bought ones say little about the
engines, since a purchase waits for its latest moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from benchmarks.rig.common import BenchmarkError, percentile
from benchmarks.rig.open_loop import Answer
from benchmarks.simulation.run_counters import Run

SPILLED_POINTS_MAX = 10.0
HELD_P50_PCT_MAX = 25.0
TTFT_P95_PCT_MAX = 25.0


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one run."""

    requests: int
    spilled_share: float
    held_share: float  # of decisions that were not made on arrival
    held_p50_ms: float  # of all decisions
    ttft_p50_ms: float
    ttft_p95_ms: float
    ttft_bought_p95_ms: float
    busy_share: float  # of the engines' time up to the last arrival


@dataclass(frozen=True, slots=True)
class Line:
    """``difference`` is in points where ``unit`` says so, else in percent of the real figure.
    ``at_most`` None: nothing is promised."""

    name: str
    real: float
    simulated: float
    difference: float
    unit: str
    at_most: float | None

    @property
    def holds(self) -> bool | None:
        return None if self.at_most is None else abs(self.difference) <= self.at_most


PROMISED = {
    "spilled_share": SPILLED_POINTS_MAX,
    "held_p50_ms": HELD_P50_PCT_MAX,
    "ttft_p95_ms": TTFT_P95_PCT_MAX,
}


def compare(real: Figures, simulated: Figures) -> tuple[Line, ...]:
    return tuple(
        _line(each.name, getattr(real, each.name), getattr(simulated, each.name))
        for each in fields(Figures)
    )


def _line(name: str, real: float, simulated: float) -> Line:
    at_most = PROMISED.get(name)
    if name.endswith("_share"):
        return Line(name, real, simulated, (simulated - real) * 100, "points", at_most)
    if real == 0:
        off_pct = 0.0 if simulated == 0 else float("inf")
    else:
        off_pct = (simulated / real - 1) * 100
    return Line(name, real, simulated, off_pct, "%", at_most)


def real_figures(answers: Sequence[Answer], busy_share: float) -> Figures:
    """Raises BenchmarkError if an answer is not whole: then nothing can be said."""
    if bad := [each for each in answers if not each.is_whole]:
        raise BenchmarkError(f"{len(bad)} of {len(answers)} answers failed; the first: {bad[0]}")
    local = [each.ttft_ms for each in answers if each.is_local]
    bought = [each.ttft_ms for each in answers if each.is_bought]
    if not local or not bought:
        raise BenchmarkError(f"{len(local)} answers from here, {len(bought)} bought: no comparison")
    return Figures(
        requests=len(answers),
        spilled_share=len(bought) / len(answers),
        held_share=sum(each.reason != "local_fit" for each in answers) / len(answers),
        held_p50_ms=percentile([each.held_ms for each in answers], 0.5),
        ttft_p50_ms=percentile(local, 0.5),
        ttft_p95_ms=percentile(local, 0.95),
        ttft_bought_p95_ms=percentile(bought, 0.95),
        busy_share=busy_share,
    )


def simulated_figures(run: Run, lasting_s: float) -> Figures:
    """The figures of the simulation. ``lasting_s``: the part of the run that counted."""
    local, bought = run.ttft_local, run.ttft_bought
    return Figures(
        requests=run.requests,
        spilled_share=run.bought / run.requests,
        held_share=1 - run.reasons["local_fit"] / run.decisions,
        held_p50_ms=run.held.quantile_ms(0.5) or 0.0,
        ttft_p50_ms=local.quantile_ms(0.5) or 0.0,
        ttft_p95_ms=local.quantile_ms(0.95) or 0.0,
        ttft_bought_p95_ms=bought.quantile_ms(0.95) or 0.0,
        busy_share=run.busy_s / (run.replicas * lasting_s),
    )
