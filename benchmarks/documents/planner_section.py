"""How far the planner's speeds are from measured ones, and another planner's where it answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import PercentFormatter

from benchmarks.documents.results import Result
from benchmarks.documents.section import Section
from benchmarks.documents.template import section_of
from benchmarks.fits.planner_tables import ALL
from benchmarks.pages.drawing import BLUE, ORANGE, STYLE, Plot, as_svg, single_panel

_BAR = 0.38

Errors: TypeAlias = Mapping[str, Mapping[str, float | None]]


def section(result: Result) -> Section:
    document = result.document
    plots = {"planner": errors_by_model(document["in_sample"], document["held_out"])}
    return section_of("planner", plots, result=result, document=document, all=ALL)


@mpl.rc_context(STYLE)
def errors_by_model(seen: Errors, out: Errors) -> Plot:
    models = [model for model in out if model != ALL and out[model]["tpot_pct"] is not None]
    places = np.arange(len(models))
    figure, axes = single_panel(1.0 + 0.45 * len(models))
    for errors, offset, colour, label in (
        (seen, -_BAR / 2, BLUE, "in the fit"),
        (out, _BAR / 2, ORANGE, "held out"),
    ):
        shares = [(errors[model]["tpot_pct"] or 0.0) / 100 for model in models]
        axes.barh(places + offset, shares, height=_BAR, color=colour, label=label)
    axes.set_yticks(places, models)
    axes.set(xlabel="median absolute error of the time per output token")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower right")
    return Plot(
        "Errors of the planner by model",
        as_svg(figure),
        "Held out is what to expect of a model that nobody has measured yet.",
    )
