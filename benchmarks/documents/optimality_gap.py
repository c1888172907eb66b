"""The scheduler against a clairvoyant on public traces, as the README and the numbers show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor
from typing import Any, TypeAlias

import matplotlib as mpl

from benchmarks.documents.markdown import NONE, paragraphs, plain, table
from benchmarks.documents.results import Result
from benchmarks.documents.section import Section
from benchmarks.pages.drawing import BLUE, GREEN, STYLE, VERMILLION, Plot, as_svg, stacked_panels
from benchmarks.simulation.experiment import Experiment
from benchmarks.simulation.figures import REGRET_MEANS, duration, share, usd
from benchmarks.simulation.offer_text import parse_offer
from benchmarks.simulation.offers import OUTPUT_USD_PER_MTOK, offer_in_words
from benchmarks.simulation.profile import load_profile
from benchmarks.studies.optimality_gap import NO_BOUND
from benchmarks.studies.optimality_gap_tasks import TRACES

_COMMAND = "make bench-scheduler"
_TRACES = {"azure-conv": "Azure conv", "azure-code": "Azure code", "mooncake": "Mooncake"}
_POLICIES = {
    "learned": ("learned lengths", BLUE, "o"),
    "told": ("told lengths", GREEN, "s"),
    "first_come": ("first come with timeout", VERMILLION, "^"),
}
_BASELINES = {"density_first": "density-first", "best_threshold": "best threshold"}
_ONE_PRICE = {"bid_price": "bid price", **_BASELINES, "first_come": "first come with timeout"}
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
        _one_price(cells, heads),
        _misses(cells) or "Every line that is asked of a cell holds.",
        _other_days(cells, result),
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
    said = [_in_time(cells), _misses(cells), _other_days(cells, result)]
    said.append(f"({result.in_short(_COMMAND)})")
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
        _one_price_in_short(cells, full),
        " ".join(filter(None, said)),
    )


def _setting() -> str:
    """What ``benchmarks.studies.optimality_gap`` leaves as it is in every cell."""
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


def _one_price(cells: Cells, heads: Sequence[str]) -> str:
    """The cells again with one real price; empty where none was measured."""
    priced = [_at_one_price(cell) for cell in cells if "one_price" in cell]
    if not priced:
        return ""
    rows = [row for cell in priced for row in _rows(cell, _ONE_PRICE)]
    return paragraphs(
        f"The same requests with one alternative for all, {_offers(cells)}; lengths are learned, "
        "and the best threshold is the best of a grid in hindsight:",
        table(heads, rows, "lrl"),
    )


def _one_price_in_short(cells: Cells, loads: Sequence[float]) -> str:
    """Spend ÷ bound of every baseline, with either kind of alternatives."""
    rows = []
    for trace, label in _TRACES.items():
        of = [c for c in cells if c["trace"] == trace and c["load"] in loads and "one_price" in c]
        three = {"bid_price": "learned"}
        for kind, cells_of in (("three offers", of), ("one price", [_at_one_price(c) for c in of])):
            names = [three.get(name, name) for name in _ONE_PRICE] if cells_of is of else _ONE_PRICE
            figures = [" / ".join(_over_bound(c, name) for c in cells_of) for name in names]
            rows.append([label if cells_of is of else "", kind, *figures])
    rows = [row for row in rows if any(row[2:])]
    if not rows:
        return ""
    measured = sorted({c["load"] for c in cells if c["load"] in loads and "one_price" in c})
    at = " / ".join(f"{load:g}" for load in measured)
    return paragraphs(
        f"Spend ÷ bound at load {at} with those three offers, and with one real price, "
        f"{_offers(cells)}, where every request may be bought at the same one:",
        table(("trace", "alternatives", *_ONE_PRICE.values()), rows, "ll"),
    )


def _at_one_price(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {**cell["one_price"], "trace": cell["trace"], "load": cell["load"]}


def _offers(cells: Cells) -> str:
    offers = dict.fromkeys(cell["one_price"]["offer"] for cell in cells if "one_price" in cell)
    return ", ".join(offer_in_words(parse_offer(offer)) for offer in offers)


def _rows(cell: Mapping[str, Any], policies: Mapping[str, str] | None = None) -> list[list[str]]:
    if policies is None:
        policies = {name: label for name, (label, *_) in _POLICIES.items()} | _BASELINES
    rows: list[list[str]] = []
    for name, label in policies.items():
        if name not in cell:
            continue
        found, first = cell[name], not rows
        rows.append(
            [
                _TRACES.get(cell["trace"], cell["trace"]) if first else "",
                f"{cell['load']:g}" if first else "",
                label,
                usd(found["spend_usd"]),
                usd(found["buy_all_usd"]) if first else "",
                _bound(cell) if first else "",
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


def _bound(cell: Mapping[str, Any]) -> str:
    return NO_BOUND if cell["bound_usd"] is None else usd(cell["bound_usd"])


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
    found = [cell[name] for cell in cells for name in ("learned", "told")]
    found += [cell["one_price"]["bid_price"] for cell in cells if "one_price" in cell]
    worst = min(each["slo_attainment"] for each in found)
    if worst == 1:
        return "Every request was in time in every cell."
    return (
        f"At least {floor(worst * 10_000) / 100:.2f} % of the requests were in time in each cell."
    )


def _other_days(cells: Cells, result: Result) -> str:
    """Which cells are older than the rest, if some are."""
    loads: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        day = str(cell.get("date", ""))[:10]
        if day and day != f"{result.date:%Y-%m-%d}":
            loads.setdefault((day, cell["trace"]), []).append(f"{cell['load']:g}")
    said = [f"{_TRACES[trace]} at {', '.join(of)} on {day}" for (day, trace), of in loads.items()]
    return f"Measured earlier: {'; '.join(said)}." if said else ""


def _misses(cells: Cells) -> str:
    """What was aimed at and not reached."""
    found = [
        f"{_TRACES.get(cell['trace'], cell['trace'])} at {cell['load']:g}: {plain(miss)}"
        for cell in cells
        for miss in cell["misses"]
    ]
    return f"Asked of a cell, and not reached: {'; '.join(found)}." if found else ""
