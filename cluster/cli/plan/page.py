"""The page of a plan: what was found, what fills the memory, and speed against throughput."""

from __future__ import annotations

import matplotlib as mpl

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
    labelled,
    single_panel,
)
from benchmarks.pages.templates import environment
from cluster.cli.plan.output import layout_json, title, verdict
from cluster.manifests.planned_model import Planned
from models.planner import LayoutPlan, curve
from models.sizing.memory import GIB

BARS_MAX = 14
CURVE_LOOKS = (  # as many curves as can be told apart
    (BLUE, "o"),
    (ORANGE, "s"),
    (GREEN, "^"),
    (PURPLE, "v"),
    (VERMILLION, "D"),
    (SKY, "P"),
)


def _figure(value: float) -> str:
    return f"{value:,.3g}" if isinstance(value, float) and value < 100 else f"{value:,.0f}"


_TEMPLATES = environment("cluster.cli.plan", is_html=True, figure=_figure)
COLUMNS = {
    "replicas": "replicas",
    "weights_gib_per_card": "weights, GiB per card",
    "kv_bytes_per_token_per_card": "KV, bytes per token and card",
    "kv_tokens": "KV tokens of a replica",
    "concurrency": "requests at once",
    "ttft_ms": "TTFT, ms",
    "tpot_ms": "TPOT, ms",
    "out_tok_s_per_card": "output tok/s per card",
    "band_pct": "± %",
    "usd_per_mtok_out": "$/M output",
}


def plan_report(planned: Planned) -> str:
    chosen = planned.plan.chosen
    drawn = [memory_bars(planned)]
    if chosen is not None:
        drawn.append(throughput_curves(planned))
    arguments = {} if chosen is None else planned.engine_args(chosen)
    return _TEMPLATES.get_template("plan.html.j2").render(
        title=f"Plan of {planned.name}",
        lead=title(planned),
        verdict=verdict(planned),
        drawn=labelled(drawn),
        chosen=chosen,
        columns=COLUMNS,
        working=[(str(each.layout), layout_json(planned, each)) for each in planned.plan.working],
        arguments={f"--{name}": str(value) for name, value in arguments.items()},
        refused=[(_name(each), each.why_not or "") for each in planned.plan.refused],
        assumed=_assumed(planned),
    )


@mpl.rc_context(STYLE)
def memory_bars(planned: Planned) -> Plot:
    """The bars of every layout that could be weighed, the best first."""
    weighed = [(each, each.fit) for each in planned.plan.layouts if each.fit is not None]
    shown = weighed[:BARS_MAX]
    figure, axes = single_panel(1.3 + 0.34 * max(1, len(shown)))
    left = [0.0] * len(shown)
    names = [_name(each) for each, _ in shown]
    parts = (
        ("weights", BLUE, [memory.weights_bytes / GIB for _, memory in shown]),
        ("engine", ORANGE, [memory.overhead_bytes / GIB for _, memory in shown]),
        ("KV blocks", GREEN, [memory.kv_bytes / GIB for _, memory in shown]),
    )
    for label, colour, values in parts:
        axes.barh(names, values, left=left, color=colour, height=0.62, label=label)
        left = [a + b for a, b in zip(left, values, strict=True)]
    memory_gib = planned.plan.card.memory_gib
    if memory_gib is not None:
        axes.axvline(memory_gib, color=BLACK, ls="--", label=planned.plan.card.name)
    axes.set(xlabel="GiB per card", xlim=(0, 1.15 * max([*left, memory_gib or 1.0])))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return Plot(
        "Memory of a card",
        as_svg(figure),
        "Weights and what the engine needs for itself come first; KV blocks get what is left below "
        "the dashed line. A bar beyond it does not fit.",
    )


@mpl.rc_context(STYLE)
def throughput_curves(planned: Planned) -> Plot:
    plan = planned.plan
    figure, axes = single_panel(4.2)
    for found, (colour, marker) in zip(plan.working, CURVE_LOOKS, strict=False):
        points = curve(planned.shape, plan, found)
        tpot_ms = [speed.tpot_ms for _, speed in points]
        tok_s = [speed.out_tok_s_per_card for _, speed in points]
        axes.plot(tpot_ms, tok_s, color=colour, marker=marker, ms=4, label=_name(found))
        if found is plan.chosen:
            share = points[-1][1].band_pct / 100
            low, high = ([value * (1 + by) for value in tok_s] for by in (-share, share))
            axes.fill_between(tpot_ms, low, high, color=colour, alpha=0.15, lw=0)
    if plan.objective.tpot_ms is not None:
        axes.axvline(plan.objective.tpot_ms, color=GREY, ls=":", label="asked for")
    axes.set(xlabel="time per output token, ms", ylabel="output tok/s per card")
    axes.set_ylim(0, None)
    axes.set_xlim(0, None)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return Plot(
        "Throughput against latency",
        as_svg(figure),
        "Each line runs from one request to the most that fit: higher is cheaper, further left is "
        "faster. The shade is the band of the chosen layout.",
    )


def _assumed(planned: Planned) -> dict[str, str]:
    source = planned.plan.card.sources.get("nano_usd_per_hour")
    said = {
        f"not in the config ({number})": text
        for number, text in enumerate(planned.shape.unknown, 1)
    }
    return {
        "KV cache": planned.plan.kv_dtype,
        "price of a card": "not known" if source is None else f"{source.source} ({source.as_of})",
        "load": "closed loop: as many requests at once as the table says, each followed by another",
        **said,
    }


def _name(found: LayoutPlan) -> str:
    return f"{found.replicas} × {found.layout}"
