"""Finds theta, the largest load that keeps the SLO, and what tokens cost below it.

First a search: the rate is doubled or halved until one is kept and one is not, then bisected to
the neighbourhood of theta; it also warms up the server, and is no measurement. Each measurement
brackets theta from there, with other arrivals. A rate that a router before the cards keeps only by
buying is not one that the cards keep: what was bought counts as missed. Overload never looks like
a hiccup of the machine, but a hiccup looks like overload: a rate that fails is tried once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from math import sqrt
from typing import Any, TypeAlias

from benchmarks.load.confidence_interval import Interval, over_runs
from benchmarks.load.endpoint import BadLoad
from benchmarks.load.run import Run
from benchmarks.load.run_cost import cost

PRECISION = 0.05  # the bracket's width, of the rate
SEARCH_STEP, STEP = 2.0, 1.2
SEARCH = 0  # in place of a repetition's number, which begin at 1
STEPS_MAX = 12
TRIES = 2
CURVE_SHARES = (0.1, 0.25, 0.5, 0.75)  # of theta's rate: what is not tried on the way to it
REQUESTS_MIN = 100  # of a window, below which one late request decides

Try: TypeAlias = Callable[[float, int], Run]  # at a rate, in a repetition


@dataclass(frozen=True, slots=True)
class Point:
    """One run of the sweep."""

    rate_per_s: float
    repetition: int
    is_kept: bool
    run: Run


@dataclass(slots=True)
class Sweep:
    """``thetas`` are output tokens per second and card, one per repetition."""

    cards: int
    attainment: float
    card_usd_per_h: Decimal | None = None
    points: list[Point] = field(default_factory=list)
    thetas: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)  # that theta was found at
    failure: str | None = None

    @property
    def theta(self) -> Interval | None:
        return over_runs(self.thetas)

    @property
    def spread(self) -> float | None:
        """The distance from the lowest theta to the highest, as a share of their mean; None without
        two of them."""
        theta = self.theta
        if theta is None or len(self.thetas) < 2:
            return None
        return (max(self.thetas) - min(self.thetas)) / theta.mean

    def utilization(self, run: Run) -> float | None:
        theta = self.theta
        return None if theta is None else run.measures.own.good_tok_s / self.cards / theta.mean

    @property
    def has_few_requests(self) -> bool:
        """Whether the windows at theta were too short for their verdicts to mean much."""
        counts = [point.run.measures.requests for point in self.points if point.is_kept]
        return bool(counts) and max(counts) < REQUESTS_MIN

    def curve(self) -> list[dict[str, Any]]:
        """The cost by utilization, one entry per point."""
        entries = [self._entry(point) for point in self.points]
        return sorted(entries, key=lambda entry: (entry["rate_per_s"], entry["run"]))

    def _entry(self, point: Point) -> dict[str, Any]:
        run = point.run
        found = run.measures
        own = found.own
        price = cost(self.card_usd_per_h, self.cards, own.good_tok_s, own.good_input_tok_s)
        return {
            "run": run.number,
            "rate_per_s": point.rate_per_s,
            "kept_slo": point.is_kept,
            "attainment": found.attainment,
            "own_attainment": own.attainment,
            "bought_share": None if found.bought is None else found.bought.share,
            "utilization": self.utilization(run),
            "good_tok_s_per_card": own.good_tok_s / self.cards,
            "output_tok_s_per_card": own.output_tok_s / self.cards,
            "usd_per_mtok_output": None if price is None else price.usd_per_mtok_output,
            "usd_per_mtok_blended": None if price is None else price.usd_per_mtok_blended,
            "busy_share": run.telemetry.busy_share,
            "ttft_ms_p99": None if found.ttft_ms is None else found.ttft_ms.p99,
            "tpot_ms_p99": None if found.tpot_ms is None else found.tpot_ms.p99,
        }


class _Ended(Exception):
    """The sweep cannot go on; what there is, is kept."""


class Sweeper:
    def __init__(self, sweep: Sweep, attempt: Try) -> None:
        self._sweep = sweep
        self._attempt = attempt

    def find(self, start_per_s: float, repetitions: int) -> None:
        """Fills the sweep; where it ends early, its ``failure`` says why."""
        sweep = self._sweep
        try:
            rate = self._narrowed(start_per_s, SEARCH_STEP, STEP - 1, SEARCH)[-1].rate_per_s
            for repetition in range(1, repetitions + 1):
                kept = self._narrowed(rate, STEP, PRECISION, repetition)
                best = max(kept, key=lambda point: point.run.measures.own.good_tok_s)
                sweep.rates.append(best.rate_per_s)
                sweep.thetas.append(best.run.measures.own.good_tok_s / sweep.cards)
                rate = best.rate_per_s
            for share in CURVE_SHARES:
                self._try(share * rate, SEARCH)
        except _Ended as ended:
            sweep.failure = str(ended)

    def _narrowed(
        self, start_per_s: float, step: float, precision: float, repetition: int
    ) -> list[Point]:
        """Rates that are kept, rising, until the next that is not is as near as that."""
        low, high_per_s = self._bracket(start_per_s, step, repetition)
        kept = [low]
        while high_per_s > kept[-1].rate_per_s * (1 + precision):
            middle = self._kept(sqrt(kept[-1].rate_per_s * high_per_s), repetition)
            if middle.is_kept:
                kept.append(middle)
            else:
                high_per_s = middle.rate_per_s
        return kept

    def _bracket(self, start_per_s: float, step: float, repetition: int) -> tuple[Point, float]:
        """A rate that is kept, and a higher one that is not."""
        point = self._kept(start_per_s, repetition)
        rises = point.is_kept
        for _ in range(STEPS_MAX):
            following = self._kept(point.rate_per_s * (step if rises else 1 / step), repetition)
            if following.is_kept != rises:
                kept, failed = (point, following) if rises else (following, point)
                return kept, failed.rate_per_s
            point = following
        verdict = "within" if rises else "too much for"
        raise _Ended(
            f"every rate from {start_per_s:g} to {point.rate_per_s:.3g} requests/s was {verdict} "
            f"the SLO{_why(point.run)}: give another --rate to start from, or another SLO"
        )

    def _kept(self, rate_per_s: float, repetition: int) -> Point:
        """The last of the tries; the first that keeps the SLO is enough."""
        for _ in range(TRIES):
            point = self._try(rate_per_s, repetition)
            if point.is_kept:
                break
        return point

    def _try(self, rate_per_s: float, repetition: int) -> Point:
        try:
            run = self._attempt(rate_per_s, repetition)
        except BadLoad as refused:
            if not self._sweep.points:
                raise
            raise _Ended(f"{rate_per_s:.3g} requests/s cannot be sent: {refused}") from None
        reached = run.measures.own.attainment
        is_kept = reached is not None and reached >= self._sweep.attainment
        is_all = not (run.is_interrupted or run.has_lost_processes)
        point = Point(rate_per_s, repetition, is_kept and is_all, run)
        self._sweep.points.append(point)
        if run.is_interrupted:
            raise _Ended("it was stopped")
        if not run.has_answers:  # a queue that fills during the warm-up answers some
            raise _Ended(f"nothing was answered at {rate_per_s:.3g} requests/s{_why(run)}")
        return point


def _why(run: Run) -> str:
    errors = run.measures.errors
    if not errors:
        return ""
    kind = max(errors, key=lambda name: errors[name])
    return f" ({errors[kind]} requests failed: {run.messages.get(kind) or kind})"
