"""The plots of a report. Whatever a colour means, it means in every plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from benchmarks.pages.drawing import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    STYLE,
    VERMILLION,
    Plot,
    as_svg,
    single_panel,
    stacked_panels,
)
from benchmarks.simulation.figures import usd
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.sweep import Trial, trial_name
from models.money import NANO_PER_USD
from scheduler.decision import Reason

POINTS_MAX = 200  # of a line over time; more are averaged

POLICY_LOOKS = {
    "bid-price": (BLUE, "o"),
    "first-come": (ORANGE, "s"),
    "never-spill": (GREEN, "^"),
    "spill-on-error": (PURPLE, "v"),
    "fixed-threshold": (VERMILLION, "D"),
    "largest-first": (SKY, "P"),
    "density-first": ("#8C3D00", "X"),
    "best-threshold": ("#5B2A46", "h"),
}
REASON_COLOURS = {
    Reason.LOCAL_FIT: BLUE,
    Reason.HELD: SKY,
    Reason.VALLEY: GREEN,
    Reason.SPILL_PRICE: ORANGE,
    Reason.SPILL_LATENCY: VERMILLION,
    Reason.SPILL_NO_REPLICA: "#8C3D00",
    Reason.SUBSTITUTE: "#2F7F86",
    Reason.MUST_LEAVE: "#C9A227",
    Reason.RETRY: "#F0E442",
    Reason.HEDGE: "#9E9A3A",
    Reason.CONTINUED: "#6F8F2A",
    Reason.QUEUE_FULL: PURPLE,
    Reason.QUEUE_TIMEOUT: "#8A4A6C",
    Reason.SPILL_CAPPED: "#5B2A46",
    Reason.NO_TARGET: GREY,
    Reason.CONTEXT_TOO_LONG: BLACK,
}

_BID_PRICE_CAPTION = (
    "While the engines have room, the bid price is 0 and nothing is bought; when they fill, it "
    "rises, and what is worth less than that is held or bought (dotted: the last arrival)."
)
_OTHER_CAPTION = (
    "Spending follows the queue and the full slots; the bid price shows what engine time is worth, "
    "which this policy does not ask (dotted: the last arrival)."
)


@mpl.rc_context(STYLE)
def spend_by_load(trials: Sequence[Trial]) -> Plot:
    """Shares of buying everything, since dollars at one load do not compare with another's."""
    figure, axes = single_panel(3.8)
    for policy in dict.fromkeys(trial.experiment.policy for trial in trials):
        mine = sorted(
            (trial for trial in trials if trial.experiment.policy == policy),
            key=lambda trial: trial.experiment.load,
        )
        colour, marker = POLICY_LOOKS[policy]
        points = [(t.experiment.load, _of_all(t.outcome, t.outcome.spend_usd)) for t in mine]
        axes.plot(*zip(*points, strict=True), color=colour, marker=marker, label=policy)
    bounds = {
        trial.experiment.load: _of_all(trial.outcome, trial.outcome.bound_usd)
        for trial in trials
        if trial.outcome.bound_usd is not None
    }
    if bounds:
        axes.plot(*zip(*sorted(bounds.items()), strict=True), color=BLACK, ls="--", label="bound")
    axes.axhline(1.0, color=GREY, ls=":", label="buying all")
    axes.set(xlabel="load factor", ylabel="spend, of buying all", ylim=(0, 1.08))
    axes.set_xticks(sorted({trial.experiment.load for trial in trials}))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return Plot(
        "Spend by load",
        as_svg(figure),
        "The lower a line, the less its policy spends"
        + ("; none can run below the dashed bound." if bounds else "."),
    )


@mpl.rc_context(STYLE)
def spend_bars(trials: Sequence[Trial]) -> Plot:
    """The bars of what each policy spent at one load."""
    outcome = trials[0].outcome
    bars = [("bound", outcome.bound_usd, BLACK)] if outcome.bound_usd is not None else []
    for trial in trials:
        policy = trial.experiment.policy
        bars.append((policy, trial.outcome.spend_usd, POLICY_LOOKS[policy][0]))
    bars.append(("buying all", outcome.buy_all_usd, GREY))
    figure, axes = single_panel(0.9 + 0.38 * len(bars))
    labels, values, colours = zip(*bars, strict=True)
    drawn = axes.barh(labels, values, color=colours, height=0.62)
    axes.bar_label(drawn, [f"{usd(value)} USD" for value in values], padding=4)
    axes.set(xlabel="USD", xlim=(0, 1.18 * max(*values, 1e-9)))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    return Plot(
        f"Spend at load {trials[0].experiment.load:g}",
        as_svg(figure),
        "The shorter its bar, the less a policy spends"
        + ("." if outcome.bound_usd is None else "; none can be shorter than the bound."),
    )


@mpl.rc_context(STYLE)
def reasons(trials: Sequence[Trial]) -> Plot:
    figure, axes = single_panel(1.3 + 0.38 * len(trials))
    names = [trial_name(trial) for trial in trials]
    left = np.zeros(len(trials))
    for reason in Reason:
        counts = [trial.outcome.reasons.get(reason.value, 0) for trial in trials]
        if not any(counts):
            continue
        totals = [max(1, sum(trial.outcome.reasons.values())) for trial in trials]
        shares = np.array(counts) / np.array(totals)
        colour = REASON_COLOURS[reason]
        axes.barh(
            names,
            shares,
            left=left,
            color=colour,
            height=0.62,
            label=reason.value,
            edgecolor="white",
        )
        left += shares
    axes.set(xlabel="decisions", xlim=(0, 1))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return Plot(
        "Why requests went where they went",
        as_svg(figure),
        "Blue and green were answered here, orange and red bought, yellow tried again, purple and "
        "grey refused.",
    )


@mpl.rc_context(STYLE)
def over_time(trial: Trial) -> Plot:
    figure, panels = stacked_panels(4, 7.2)
    rows = trial.series.rows()
    duration_s = trial.outcome.duration_s
    unit, unit_s = _time_unit(rows[-1]["at_s"] if rows else duration_s)
    at = _averaged([row["at_s"] / unit_s for row in rows])

    def line(axes: Axes, key: str, colour: str, factor: float = 1.0, **look: Any) -> None:
        axes.plot(at, _averaged([row[key] * factor for row in rows]), color=colour, **look)
        axes.set_ylim(0, None if any(row[key] for row in rows) else 1)

    queue, fill, price, rate = panels
    line(queue, "queue_requests", BLUE)
    line(fill, "kv_share", BLUE, label="KV cache")
    line(fill, "running_share", ORANGE, ls="--", label="slots")
    line(price, "bid_price", VERMILLION, 3600 / NANO_PER_USD)
    line(rate, "spend_usd_per_h", GREEN)
    fill.set_ylim(0, 1.05)
    fill.yaxis.set_major_formatter(PercentFormatter(1.0))
    fill.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=2, borderaxespad=0)
    labels = ("requests held", "share in use", "bid price,\nUSD per engine hour", "spend, USD/h")
    for axes, label in zip(panels, labels, strict=True):
        axes.set_ylabel(label)
        axes.axvline(duration_s / unit_s, color=GREY, ls=":")
        axes.margins(x=0.01)
    rate.set_xlabel(f"time, {unit}")
    figure.align_ylabels()
    return Plot(
        f"Over time: {trial_name(trial)}",
        as_svg(figure),
        _BID_PRICE_CAPTION if trial.experiment.policy == "bid-price" else _OTHER_CAPTION,
    )


def _of_all(outcome: Outcome, spent_usd: float) -> float:
    return spent_usd / outcome.buy_all_usd if outcome.buy_all_usd else 0.0


def _time_unit(last_s: float) -> tuple[str, float]:
    if last_s > 4 * 3600:
        return "h", 3600.0
    return ("min", 60.0) if last_s > 900 else ("s", 1.0)


def _averaged(values: Sequence[float]) -> list[float]:
    parts = np.array_split(np.array(values, float), max(1, min(POINTS_MAX, len(values))))
    return [float(part.mean()) for part in parts if part.size]
