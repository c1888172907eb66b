"""The plots of a break-even report. An API has one colour in all of them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import matplotlib as mpl
from matplotlib.ticker import FuncFormatter, PercentFormatter

from benchmarks.economics.breakeven import BreakEvenVerdict
from benchmarks.economics.format_figures import percent
from benchmarks.economics.hybrid import all_bought, all_local, cheapest
from benchmarks.economics.sensitivity import Bar
from benchmarks.economics.study import APIS_MAX, Answer, Study
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
)
from models.money import NANO_PER_USD

VOLUMES = 96  # points of a line
SHOWN_OF_CAPACITY = 1.25
SHOWN_OF_BREAK_EVEN = 2.0
SHOWN_OF_BILL = 2.0  # dearer lines leave the plot at the top

LOOKS = (
    *((ORANGE, "o"), (GREEN, "^"), (PURPLE, "v"), (SKY, "s")),
    *((VERMILLION, "D"), (GREY, "P"), ("#8C3D00", "X"), ("#5B2A46", "*")),
)[:APIS_MAX]
_LABEL_CHARS_MAX = 40


@mpl.rc_context(STYLE)
def bill_by_volume(study: Study) -> Plot:
    """All bought, all local, and the cheapest of both, at this shape of demand."""
    question = study.question
    cluster, demand = question.cluster, question.demand
    figure, axes = single_panel(4.6)
    demands = [demand.scaled(Decimal(str(mtok))) for mtok in _volumes(study)]
    volumes = [float(each.mtok_per_month) for each in demands]
    first = study.answers[0].break_even.value_usd_per_mtok
    local = [all_local(cluster, each, first).nano / NANO_PER_USD for each in demands]
    axes.plot(volumes, local, color=BLACK, label="all local", drawstyle="steps-pre")
    for answer, (colour, marker) in zip(study.answers, LOOKS, strict=False):
        value = answer.break_even.value_usd_per_mtok
        bought = [all_bought(cluster, each, value).nano / NANO_PER_USD for each in demands]
        mixed = [cheapest(cluster, each, value).nano / NANO_PER_USD for each in demands]
        name = label(answer)
        axes.plot(
            volumes, bought, color=colour, marker=marker, markevery=12, label=f"all at {name}"
        )
        axes.plot(volumes, mixed, color=colour, ls="--", label=f"hybrid with {name}")
    owned = cluster.bill_nano_per_month(cluster.cards) / NANO_PER_USD
    axes.axvline(float(demand.mtok_per_month), color=BLUE, ls=":", label="this demand")
    axes.set(xlabel="M output tokens per month", ylabel="USD per month")
    axes.set(xlim=(0, volumes[-1]), ylim=(0, SHOWN_OF_BILL * max(owned, local[0])))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    return Plot(
        "Monthly bill by volume",
        as_svg(figure),
        "Below where a coloured line crosses the black one, buying is cheaper; dashed is the "
        "cheapest number of cards at each volume, with the peaks bought. All local keeps the cards "
        "there are, and adds whole replicas once the peak needs them.",
    )


@mpl.rc_context(STYLE)
def tornado_bars(answer: Answer) -> Plot:
    bars = answer.bars
    base = float(answer.break_even.utilization)
    figure, axes = single_panel(1.2 + 0.42 * len(bars))
    names = [f"{bar.name}\n{float(bar.low):,.4g} to {float(bar.high):,.4g}" for bar in bars]
    for ends, colour, name in (
        ([float(bar.utilization_at_low) for bar in bars], SKY, "at the low end"),
        ([float(bar.utilization_at_high) for bar in bars], ORANGE, "at the high end"),
    ):
        widths = [end - base for end in ends]
        axes.barh(names, widths, left=base, color=colour, height=0.55, label=name)
    axes.axvline(base, color=BLACK, lw=1)
    axes.axvline(1.0, color=VERMILLION, ls=":", label="never, beyond")
    axes.set(xlabel="break-even utilization")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return Plot(
        f"What moves the break-even with {answer.price.price_id}",
        as_svg(figure),
        f"Each input alone, over the range it was seen to have; all others as given "
        f"({percent(answer.break_even.utilization)}). {_widest(bars[0])}",
    )


@mpl.rc_context(STYLE)
def utilization_bars(study: Study) -> Plot:
    figure, axes = single_panel(1.1 + 0.42 * len(study.answers))
    colours: Mapping[BreakEvenVerdict, str] = {
        BreakEvenVerdict.BREAKS_EVEN: GREEN,
        BreakEvenVerdict.BEYOND_CAPACITY: ORANGE,
        BreakEvenVerdict.NEVER: VERMILLION,
    }
    names = [label(answer) for answer in study.answers]
    shares = [float(answer.break_even.utilization) for answer in study.answers]
    drawn = axes.barh(
        names,
        shares,
        color=[colours[answer.break_even.verdict] for answer in study.answers],
        height=0.6,
    )
    texts = [
        f"{percent(answer.break_even.utilization)}, "
        f"{answer.break_even.verdict.value.replace('_', ' ')}"
        for answer in study.answers
    ]
    written = axes.bar_label(drawn, texts, padding=4)
    for text in written:
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
    axes.axvline(1.0, color=BLACK, lw=1)
    axes.axvline(float(study.question.demand.mean_to_peak), color=GREY, ls=":")
    axes.set(xlabel="break-even utilization", xlim=(0, 1.45 * max(1.0, *shares)))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    return Plot(
        "Utilization from which owning is cheaper",
        as_svg(figure),
        "Beyond the black line there is no such utilization; dotted is the most that cards sized "
        "for the peak of this demand reach.",
    )


def label(answer: Answer) -> str:
    name = answer.price.price_id
    return name if len(name) <= _LABEL_CHARS_MAX else f"{name[: _LABEL_CHARS_MAX - 1]}…"


def _volumes(study: Study) -> list[float]:
    capacity = float(study.answers[0].break_even.capacity_mtok)
    meets = max(float(answer.break_even.bills_meet_mtok) for answer in study.answers)
    last = min(SHOWN_OF_CAPACITY * capacity, SHOWN_OF_BREAK_EVEN * meets)
    last = max(last, SHOWN_OF_CAPACITY * float(study.question.demand.mtok_per_month))
    steps = {last * (step + 1) / VOLUMES for step in range(VOLUMES)}
    return sorted(steps | ({capacity} if capacity < last else set()))  # a replica is added there


def _widest(bar: Bar) -> str:
    low, high = sorted((bar.utilization_at_low, bar.utilization_at_high))
    return f"The {bar.name} alone moves it from {percent(low)} to {percent(high)}."
