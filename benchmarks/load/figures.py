"""The main figures of a run as people read them: a label, the value, and what it means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.load.confidence_interval import Interval, over_runs
from benchmarks.load.measures import Latency
from benchmarks.load.run import Run
from benchmarks.load.theta_sweep import Sweep
from benchmarks.pages import UNKNOWN
from benchmarks.simulation.figures import share

Text = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Figure:
    """``key`` is its name in the JSON."""

    key: str
    label: str
    says: str
    text: Text
    path: str  # within a run

    def of(self, run: Run) -> float | None:
        found: Any = run
        for name in self.path.split("."):
            found = None if found is None else getattr(found, name)
        value: float | None = found
        return value

    def interval(self, runs: Sequence[Run]) -> Interval | None:
        return over_runs([self.of(run) for run in runs])

    def shown(self, runs: Sequence[Run]) -> str:
        found = self.interval(runs)
        if found is None:
            return UNKNOWN
        text = self.text(found.mean)
        if found.low is None or found.high is None or found.low == found.high:
            return text
        return f"{text} ± {self.text((found.high - found.low) / 2)}"


def milliseconds(value: float) -> str:
    return f"{value:,.1f} ms" if abs(value) < 100 else f"{value:,.0f} ms"


def per_second(value: float) -> str:
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def dollars(value: float) -> str:
    return f"{value:,.4f}" if abs(value) < 1 else f"{value:,.2f}"


def whole(value: float) -> str:
    return f"{value:,.0f}"


def _latency(name: str, label: str, says: str) -> list[Figure]:
    quantiles = [each for each in Latency.__slots__ if each != "mean"]
    return [
        Figure(
            f"{name}_{quantile}",
            f"{label}, {quantile}",
            says,
            milliseconds,
            f"measures.{name}.{quantile}",
        )
        for quantile in quantiles
    ]


FIGURES: tuple[Figure, ...] = (
    Figure("requests", "requests", "due within the window", whole, "measures.requests"),
    Figure("req_s", "answers/s", "whole answers, per second", per_second, "measures.req_s"),
    Figure("attainment", "in time", "within both budgets, of all", share, "measures.attainment"),
    Figure(
        "good_req_s", "good answers/s", "in time, per second", per_second, "measures.good_req_s"
    ),
    Figure(
        "output_tok_s", "output tokens/s", "of all answers", per_second, "measures.output_tok_s"
    ),
    Figure("good_tok_s", "good tokens/s", "of answers in time", per_second, "measures.good_tok_s"),
    *_latency("ttft_ms", "first token", "from when the request was due"),
    *_latency("tpot_ms", "per token", "after the first, by request"),
    *_latency("itl_ms", "between tokens", "of all gaps"),
    *_latency("e2e_ms", "whole answer", "from when the request was due"),
    *_latency("ttft_sent_ms", "first token, sent", "from when the request was sent"),
    *_latency("e2e_sent_ms", "whole answer, sent", "from when the request was sent"),
    Figure("cached_share", "cached", "of prompt tokens, as told", share, "measures.cached_share"),
    Figure(
        "own_attainment", "in time, own cards", "of all requests", share, "measures.own.attainment"
    ),
    Figure(
        "own_good_tok_s",
        "good tokens/s, own cards",
        "of answers in time",
        per_second,
        "measures.own.good_tok_s",
    ),
    Figure("bought_share", "bought", "of the answers, from APIs", share, "measures.bought.share"),
    Figure(
        "bought_tok_s",
        "bought tokens/s",
        "output from APIs",
        per_second,
        "measures.bought.output_tok_s",
    ),
    Figure(
        "bought_usd_per_h",
        "bought, USD/h",
        "as the endpoint billed it",
        dollars,
        "measures.bought.usd_per_h",
    ),
    Figure(
        "utilization", "utilization", "good tokens of the cards, of theta", share, "utilization"
    ),
    Figure("busy_share", "busy", "of the time: no utilization", share, "telemetry.busy_share"),
    Figure("power_w", "power, W", "of all cards", whole, "telemetry.power_w"),
    Figure(
        "joules_per_output_token",
        "energy, J",
        "per output token",
        per_second,
        "telemetry.joules_per_output_token",
    ),
    Figure(
        "usd_per_mtok_output",
        "USD per M output",
        "cost of the cards on their output in time",
        dollars,
        "cost.usd_per_mtok_output",
    ),
    Figure(
        "usd_per_mtok_blended",
        "USD per M blended",
        "the cards, per M tokens in and out, in time",
        dollars,
        "cost.usd_per_mtok_blended",
    ),
    Figure(
        "usd_per_mtok_all",
        "USD per M output, all",
        "cards and purchases, on all output in time",
        dollars,
        "usd_per_mtok_all",
    ),
)


def theta_in_words(sweep: Sweep) -> str:
    theta = sweep.theta
    if theta is None:
        return f"No theta: {sweep.failure}"
    words = (
        f"Theta is {per_second(theta.mean)} output tokens per second and card, at "
        f"{sweep.rates[-1]:.3g} requests/s"
    )
    if sweep.spread is not None:
        words += f"; {len(sweep.thetas)} sweeps lie within {share(sweep.spread)} of each other"
    return words + "."
