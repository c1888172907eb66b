"""The scheduler against a clairvoyant on public traces, as the README and the numbers show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor
from typing import Any, TypeAlias

import matplotlib as mpl

from benchmarks.docs.markdown import NONE, paragraphs, plain, table
from benchmarks.docs.results import Result
from benchmarks.docs.section import Section
from benchmarks.drawing import BLUE, GREEN, STYLE, VERMILLION, Plot, as_svg, stacked_panels
from benchmarks.regret import TRACES
from benchmarks.simulation.experiment import Experiment
from benchmarks.simulation.figures import REGRET_MEANS, duration, share, usd
from benchmarks.simulation.offers import OUTPUT_USD_PER_MTOK
from benchmarks.simulation.profile import load_profile

_COMMAND = "make bench-scheduler"
_TRACES = {"azure-conv": "Azure conv", "azure-code": "Azure code", "mooncake": "Mooncake"}
_POLICIES = {
    "learned": ("learned lengths", BLUE, "o"),
    "told": ("told lengths", GREEN, "s"),
    "first_come": ("first come with timeout", VERMILLION, "^"),
}
_HARD_LOAD = 1.5  # from here on first come is compared with

Cells: TypeAlias = Sequence[Mapping[str, Any]]


def section(result: Result) -> Section:
    cells: Cells = result.document["cells"]
    heads = ["trace", "load", "policy", "spend, USD", "buying all, USD", "bound, USD", "regret"]
    heads += ["spend ÷ bound", "in time", "bought", "held p99", "use of engines"]
    body = paragraphs(
        _setting(),
        f"{REGRET_MEANS} Load 1 is a pool that is always full and never behind. The bound is a "
        "linear program that may split requests, pools all replicas and lets decode work wait as "
        "no engine can, so part of the regret is the bound's. `told` tells the scheduler the "
        "lengths that it has to guess otherwise.",
        table(heads, [row for cell in cells for row in _rows(cell)], "lrl"),
        _misses(cells) or "Every line that is asked of a cell holds.",
        result.in_full(_COMMAND),
    )
    return Section(
        "The scheduler against a clairvoyant",
        body,
        {"regret": regret_by_load(cells)},
        short(result),
    )


def short(result: Result) -> str:
    cells: Cells = result.document["cells"]
    by_trace = {name: [c for c in cells if c["trace"] == name] for name in _TRACES}
    full = sorted({cell["load"] for cell in cells if cell["load"] >= 1})
    loads = " / ".join(f"{load:g}" for load in full)
    rows = []
    for trace, of in by_trace.items():
        if of:
            full_of = [cell for cell in of if cell["load"] >= 1]
            for label, figure in (("regret", _regret), ("spend ÷ bound", _over_bound)):
                figures = (" / ".join(figure(c, name) for c in full_of) for name in _POLICIES)
                first = label == "regret"
                ends = _TRACES[trace] if first else "", _against_first_come(of) if first else ""
                rows.append([ends[0], label, *figures, ends[1]])
    names = (look[0] for look in _POLICIES.values())
    heads = ("trace", "", *names, "spend against first come, worst")
    return paragraphs(
        "**The scheduler against a clairvoyant**, simulated on public traces at loads "
        f"{loads} (1 is a pool that is always full). Each request may be bought from one of three "
        "assumed offers, thirty times apart, drawn at random for it: **most of what is saved here "
        "is due to that spread**, and less is saved where all offers cost about the same "
        "(`baseload simulate --offer` takes your price, `density-first` and `best-threshold` are "
        "baselines). Regret is the share of the possible saving that was missed; buying everything "
        "is dear, so regret is small, and spend ÷ bound stands beside it:",
        table(heads, rows, "ll"),
        " ".join(filter(None, (_in_time(cells), _misses(cells), f"({result.in_short(_COMMAND)})"))),
    )


def _setting() -> str:
    """What ``benchmarks.regret`` leaves as it is in every cell."""
    plain_run = Experiment()
    profile = load_profile(plain_run.profile)
    budgets = ", ".join(f"{_TRACES[name]} {ms / 1000:g} s" for name, (_, ms) in TRACES.items())
    prices = ", ".join(f"${price}" for price in OUTPUT_USD_PER_MTOK)
    return (
        f"Simulated: {plain_run.replicas} replicas of the profile `{profile.name}` "
        f"({plain(profile.source)}), offers at {prices} per M output, of which "
        "each request may be bought from one only, drawn at random for it, "
        f"{share(plain_run.warm_share)} of the prompts with a prefix that others have; time to the "
        f"first token: {budgets}."
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


def _rows(cell: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for name, (label, *_) in _POLICIES.items():
        found = cell[name]
        first = name == "learned"
        rows.append(
            [
                _TRACES.get(cell["trace"], cell["trace"]) if first else "",
                f"{cell['load']:g}" if first else "",
                label,
                usd(found["spend_usd"]),
                usd(found["buy_all_usd"]) if first else "",
                usd(cell["bound_usd"]) if first else "",
                _regret(cell, name),
                _over_bound(cell, name),
                f"{100 * found['slo_attainment']:.2f} %",
                share(found["spilled_share"]),
                duration(found["held_p99_ms"]),
                share(found["local_utilization"]),
            ]
        )
    return rows


def _regret(cell: Mapping[str, Any], policy: str) -> str:
    found = cell[policy]["regret"]
    return NONE if found is None else f"{found:.3f}"


def _over_bound(cell: Mapping[str, Any], policy: str) -> str:
    """How many times the bound was spent."""
    bound_usd = cell["bound_usd"]
    return f"{cell[policy]['spend_usd'] / bound_usd:.2f}" if bound_usd else NONE


def _against_first_come(cells: Cells) -> str:
    ratios = [
        cell["learned"]["spend_usd"] / cell["first_come"]["spend_usd"]
        for cell in cells
        if cell["load"] >= _HARD_LOAD and cell["first_come"]["spend_usd"] > 0
    ]
    return f"{max(ratios):.2f}" if ratios else NONE


def _in_time(cells: Cells) -> str:
    worst = min(cell[name]["slo_attainment"] for cell in cells for name in ("learned", "told"))
    if worst == 1:
        return "Every request was in time in every cell."
    return (
        f"At least {floor(worst * 10_000) / 100:.2f} % of the requests were in time in each cell."
    )


def _misses(cells: Cells) -> str:
    """What was aimed at and not reached."""
    found = [
        f"{_TRACES.get(cell['trace'], cell['trace'])} at {cell['load']:g}: {plain(miss)}"
        for cell in cells
        for miss in cell["misses"]
    ]
    return f"Asked of a cell, and not reached: {'; '.join(found)}." if found else ""
