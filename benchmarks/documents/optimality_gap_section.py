"""The scheduler against a clairvoyant on public traces, as the README and the numbers show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor
from typing import Any, TypeAlias

import matplotlib as mpl

from benchmarks.documents.markdown import plain
from benchmarks.documents.results import Result
from benchmarks.documents.section import Section
from benchmarks.documents.template import section_of
from benchmarks.pages.drawing import BLUE, GREEN, STYLE, VERMILLION, Plot, as_svg, stacked_panels
from benchmarks.simulation.experiment import Experiment
from benchmarks.simulation.figures import REGRET_MEANS
from benchmarks.simulation.offer_text import parse_offer
from benchmarks.simulation.offers import OUTPUT_USD_PER_MTOK, offer_in_words
from benchmarks.simulation.profile import load_profile
from benchmarks.studies.optimality_gap import NO_BOUND
from benchmarks.studies.optimality_gap_tasks import TRACES

_TRACES = {"azure-conv": "Azure conv", "azure-code": "Azure code", "mooncake": "Mooncake"}
_POLICIES = {
    "learned": ("learned lengths", BLUE, "o"),
    "told": ("told lengths", GREEN, "s"),
    "first_come": ("first come with timeout", VERMILLION, "^"),
}
_LABELS = {name: label for name, (label, *_) in _POLICIES.items()}
_BASELINES = {"density_first": "density-first", "best_threshold": "best threshold"}
_ONE_PRICE = {"bid_price": "bid price", **_BASELINES, "first_come": _LABELS["first_come"]}
_HARD_LOAD = 1.5  # from here on first come is compared with

Cells: TypeAlias = Sequence[Mapping[str, Any]]


def section(result: Result) -> Section:
    cells: Cells = result.document["cells"]
    full = [cell for cell in cells if cell["load"] >= 1]
    priced = [cell for cell in cells if "one_price" in cell]
    offers = dict.fromkeys(cell["one_price"]["offer"] for cell in priced)
    experiment = Experiment()  # what the study leaves as it is in every cell
    return section_of(
        "optimality_gap",
        {"regret": regret_by_load(cells)},
        result=result,
        cells=cells,
        cells_at_one_price=[
            {**cell["one_price"], "trace": cell["trace"], "load": cell["load"]} for cell in priced
        ],
        full_by_trace=_by_trace(full),
        priced_by_trace=_by_trace([cell for cell in full if "one_price" in cell]),
        loads=_loads(full),
        priced_loads=_loads([cell for cell in full if "one_price" in cell]),
        experiment=experiment,
        profile=load_profile(experiment.profile),
        prices=OUTPUT_USD_PER_MTOK,
        budgets_s={name: ms / 1000 for name, (_, ms) in TRACES.items()},
        offers=", ".join(offer_in_words(parse_offer(offer)) for offer in offers),
        traces=_TRACES,
        policies=_LABELS,
        all_policies=_LABELS | _BASELINES,
        one_price_policies=_ONE_PRICE,
        no_bound=NO_BOUND,
        regret_means=REGRET_MEANS,
        against_first_come=_against_first_come,
        in_time_pct=_in_time_pct(cells),
        missed=_missed(cells),
        earlier=_earlier(cells, result),
    )


@mpl.rc_context(STYLE)
def regret_by_load(cells: Cells) -> Plot:
    traces = [name for name in _TRACES if any(cell["trace"] == name for cell in cells)]
    figure, panels = stacked_panels(len(traces), 1.0 + 1.9 * len(traces))
    for trace, axes in zip(traces, panels, strict=True):
        of = [cell for cell in cells if cell["trace"] == trace]
        for policy, (label, colour, marker) in _POLICIES.items():
            points = [
                (c["load"], c[policy]["regret"]) for c in of if c[policy]["regret"] is not None
            ]
            xs, ys = [load for load, _ in points], [regret for _, regret in points]
            axes.plot(xs, ys, color=colour, marker=marker, label=label)
        axes.set(ylabel="regret", ylim=(0, None))
        axes.set_title(_TRACES[trace], loc="left", fontsize=10)
    panels[0].legend(loc="upper left")
    panels[-1].set_xlabel("load")
    return Plot(
        "Regret by load",
        as_svg(figure),
        "What is missed of the saving that knowing the future would bring: 0 is the bound, 1 is "
        "buying everything.",
    )


def _by_trace(cells: Cells) -> dict[str, Cells]:
    found = {name: [cell for cell in cells if cell["trace"] == name] for name in _TRACES}
    return {name: of for name, of in found.items() if of}


def _loads(cells: Cells) -> list[str]:
    return [f"{load:g}" for load in sorted({cell["load"] for cell in cells})]


def _against_first_come(cells: Cells) -> float | None:
    """What was spent, of what first come spends, in the worst cell at a hard load."""
    ratios = [
        cell["learned"]["spend_usd"] / cell["first_come"]["spend_usd"]
        for cell in cells
        if cell["load"] >= _HARD_LOAD and cell["first_come"]["spend_usd"] > 0
    ]
    return max(ratios, default=None)


def _in_time_pct(cells: Cells) -> float:
    """Of the requests in the worst cell, rounded down: all but one is not all."""
    found = [cell[name] for cell in cells for name in ("learned", "told")]
    found += [cell["one_price"]["bid_price"] for cell in cells if "one_price" in cell]
    worst: float = min(each["slo_attainment"] for each in found)
    return floor(worst * 10_000) / 100


def _earlier(cells: Cells, result: Result) -> list[str]:
    """Which cells are older than the rest, if some are."""
    loads: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        day = str(cell.get("date", ""))[:10]
        if day and day != f"{result.date:%Y-%m-%d}":
            loads.setdefault((day, cell["trace"]), []).append(f"{cell['load']:g}")
    return [f"{_TRACES[trace]} at {', '.join(of)} on {day}" for (day, trace), of in loads.items()]


def _missed(cells: Cells) -> list[str]:
    """What was aimed at and not reached."""
    return [
        f"{_TRACES.get(cell['trace'], cell['trace'])} at {cell['load']:g}: {plain(miss)}"
        for cell in cells
        for miss in cell["misses"]
    ]
