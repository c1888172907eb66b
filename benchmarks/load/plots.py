"""The plots of a benchmark: what tokens cost by utilization, and how late they came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter

from benchmarks.load.measures import Slo, due_within
from benchmarks.load.run import Run
from benchmarks.pages.drawing import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    STYLE,
    VERMILLION,
    Plot,
    as_svg,
    single_panel,
    stacked_panels,
)

QUANTILES = np.linspace(0, 1, 201)
_PLAIN = FuncFormatter(lambda value, _: f"{value:g}")
# Of the ticks between powers of ten, two have room for a number.
_PLAIN_BETWEEN = FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else "")


@mpl.rc_context(STYLE)
def cost_by_utilization(curve: Sequence[dict[str, Any]]) -> Plot:
    """Hollow points broke the SLO."""
    has_price = any(point["usd_per_mtok_output"] is not None for point in curve)
    figure, panels = stacked_panels(3 if has_price else 2, 7.6 if has_price else 5.2)
    if has_price:
        cost = panels[0]
        _points(cost, curve, "usd_per_mtok_output", BLUE, "o", "output")
        _points(cost, curve, "usd_per_mtok_blended", ORANGE, "s", "blended")
        cost.set_yscale("log")
        cost.yaxis.set_minor_formatter(_PLAIN_BETWEEN)
        cost.yaxis.set_major_formatter(_PLAIN)
        cost.set_ylabel("USD per M tokens")
        cost.legend(loc="upper right")
    goodput, busy = panels[-2:]
    _points(goodput, curve, "good_tok_s_per_card", GREEN, "^", "in time")
    _points(goodput, curve, "output_tok_s_per_card", GREY, "x", "all")
    goodput.set_ylabel("output tokens/s\nper card")
    goodput.set_ylim(bottom=0)
    goodput.legend(loc="upper left")
    _points(busy, curve, "busy_share", VERMILLION, "D", "busy")
    busy.plot([0, 1], [0, 1], color=GREY, ls=":", label="if busy were utilization")
    busy.set_ylim(0, 1.05)
    busy.yaxis.set_major_formatter(PercentFormatter(1.0))
    busy.set_ylabel("busy")
    busy.legend(loc="lower right")
    busy.xaxis.set_major_formatter(PercentFormatter(1.0))
    busy.set_xlabel("utilization: good output tokens, of theta")
    figure.align_ylabels()
    return Plot(
        "Cost by utilization" if has_price else "Goodput by utilization",
        as_svg(figure),
        "A token costs what the cards cost, shared among the tokens that came in time: half the "
        "use, twice the cost. Busy says nothing of the kind. Hollow points broke the SLO.",
    )


@mpl.rc_context(STYLE)
def latencies(runs: Sequence[Run], slo: Slo) -> Plot:
    """The latencies of all runs together; a request without a first token keeps its line below 100
    %."""
    figure, axes = single_panel(3.6)
    due = sum(run.measures.requests for run in runs)
    for label, start, colour, style in (
        ("from when it was due", "scheduled_s", BLUE, "-"),
        ("from when it was sent", "sent_s", ORANGE, "--"),
    ):
        values = np.concatenate([_first_tokens_ms(run, start) for run in runs])
        if values.size:
            came = QUANTILES * values.size / due
            axes.plot(np.quantile(values, QUANTILES), came, color=colour, ls=style, label=label)
    axes.axvline(slo.ttft_ms, color=GREY, ls=":", label="budget")
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(_PLAIN_BETWEEN)
    axes.xaxis.set_major_formatter(_PLAIN)
    axes.set(xlabel="time to the first token, ms", ylabel="requests", ylim=(0, 1.01))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(loc="lower right")
    return Plot(
        "First tokens",
        as_svg(figure),
        "The share of requests whose first token had come; where the two lines part, the client "
        "had to hold requests back.",
    )


@mpl.rc_context(STYLE)
def over_time(run: Run) -> Plot:
    figure, axes = single_panel(3.2)
    rows = run.rows.filter(run.rows["first_token_s"].is_not_null())
    start_s = rows["scheduled_s"].to_numpy()
    late_ms = (rows["first_token_s"].to_numpy() - start_s) * 1000
    axes.plot(start_s, late_ms, ".", color=BLUE, ms=3, label="first token")
    axes.axvspan(run.window.from_s, run.window.to_s, color=GREY, alpha=0.08, label="measured")
    axes.set(xlabel="due at, s", ylabel="first token, ms", ylim=(0, None))
    axes.legend(loc="upper left")
    return Plot(
        f"Run {run.number}: first tokens over time",
        as_svg(figure),
        "One dot per request, by when it was due: a queue that grows rises to the right, a stall "
        "falls off in a slope.",
    )


def _first_tokens_ms(run: Run, start: str) -> Any:
    rows = due_within(run.rows, run.window).drop_nulls("first_token_s")
    waited = (rows["first_token_s"] - rows[start]).to_numpy() * 1000
    return waited[waited > 0]


def _points(
    axes: Axes, curve: Sequence[dict[str, Any]], key: str, colour: str, marker: str, label: str
) -> None:
    known = [each for each in curve if each[key] is not None and each["utilization"] is not None]
    known.sort(key=lambda each: float(each["utilization"]))
    if known and key.startswith("usd"):
        line = [(each["utilization"], each[key]) for each in known]
        axes.plot(*zip(*line, strict=True), color=colour, lw=0.8, alpha=0.6)
    for is_kept, face in ((True, colour), (False, "none")):
        points = [(e["utilization"], e[key]) for e in known if e["kept_slo"] == is_kept]
        if points:
            look: dict[str, Any] = {"ls": "none", "marker": marker, "color": colour}
            shown = label if is_kept else f"_{label}"
            axes.plot(*zip(*points, strict=True), mfc=face, label=shown, **look)
