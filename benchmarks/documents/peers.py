"""Baseload beside other gateways, in front of the same engines and of a scripted upstream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import matplotlib as mpl
from matplotlib.ticker import PercentFormatter

from benchmarks.documents.markdown import NONE, pairs, paragraphs, plain, table
from benchmarks.documents.results import Result
from benchmarks.documents.section import Section
from benchmarks.pages.drawing import (
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
from benchmarks.peers.baseload_alone import BASELOAD
from benchmarks.peers.interval import IN_BRACKETS, with_bounds
from benchmarks.peers.litellm import LITELLM
from benchmarks.peers.side_by_side import DIRECT
from benchmarks.peers.verdicts import CONCURRENCY, FASTER_THAN_LITELLM
from benchmarks.simulation.figures import share
from models.money import NANO_PER_USD

_COMMAND = "make bench-peers"
_LOOKS = (
    *((BLUE, "o"), (VERMILLION, "^"), (GREEN, "s")),
    *((ORANGE, "D"), (PURPLE, "v"), (SKY, "P"), (GREY, "X")),
)

Rows: TypeAlias = Sequence[Mapping[str, Any]]


def section(result: Result) -> Section:
    document = result.document
    titles, engines = _titles(document), document["engines"]
    answer_tokens = document["method"]["answer_tokens"]
    body = paragraphs(
        "Engines, gateways and client share the machine. Each way stands between two turns of the "
        f"engines asked directly, and its ratio is to their mean; {answer_tokens} streamed tokens.",
        _verdicts(document["verdicts"]),
        _ceiling(engines),
        _reasons("Left out", document["skipped"], titles),
        f"What failed: {plain('; '.join(document['failures']))}." if document["failures"] else "",
        "To the engines:" if engines else "",
        _turns(engines, titles),
        "To a scripted upstream, which costs next to nothing:" if document["scripted"] else "",
        _turns(document["scripted"], titles),
        _overload_lead(document) if document["overload"] else "",
        _overload(document["overload"], titles),
        result.in_full(_COMMAND),
    )
    plots = {"peers": share_by_concurrency(engines, titles)} if engines else {}
    return Section("Beside other gateways", body, plots, _short(result))


@mpl.rc_context(STYLE)
def share_by_concurrency(rows: Rows, titles: Mapping[str, str]) -> Plot:
    figure, axes = single_panel(3.8)
    ways = [way for way in titles if any(row["way"] == way for row in rows)]
    for way, (colour, marker) in zip(ways, _LOOKS, strict=False):
        of = sorted((row for row in rows if row["way"] == way), key=lambda row: row["concurrency"])
        axes.plot(
            [row["concurrency"] for row in of],
            [row["figures"]["chunks_s"]["ratio"] for row in of],
            color=colour,
            marker=marker,
            label=titles[way],
        )
    axes.set_xscale("log", base=2)
    at = sorted({row["concurrency"] for row in rows})
    axes.set_xticks(at, [str(each) for each in at])
    axes.minorticks_off()
    axes.set(xlabel="concurrency", ylabel="chunks/s, of direct", ylim=(0, None))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return Plot(
        "Throughput through each gateway",
        as_svg(figure),
        "Chunks per second, of what the same engines give when they are asked directly.",
    )


def _titles(document: Mapping[str, Any]) -> dict[str, str]:
    """With the version, by the name of the way."""
    peers = document["peers"].items()
    theirs = {name: f"{plain(e['title'])} {plain(e['version'])}" for name, e in peers}
    return {DIRECT: "nothing", BASELOAD: "Baseload"} | theirs


def _verdicts(verdicts: Rows) -> str:
    rows = [
        [
            plain(each["claim"]),
            NONE
            if each["value"] is None
            else with_bounds(each["value"], each["low"], each["high"]),
            f"{each['least']:g}",
            "not measured" if each["holds"] is None else "yes" if each["holds"] else "no",
        ]
        for each in verdicts
    ]
    if not rows:
        return ""
    return paragraphs(
        table(("claim", "measured", "at least", "holds"), rows, "lrrl"),
        f"{IN_BRACKETS.capitalize()}." if any(each["low"] is not None for each in verdicts) else "",
    )


def _ceiling(engines: Rows) -> str:
    """No gateway passes on more than the engines give, whatever it is compared with."""
    of_direct = {
        row["way"]: row["figures"]["chunks_s"]["ratio"]
        for row in engines
        if row["concurrency"] == CONCURRENCY
    }
    share_of_engines = of_direct.get(LITELLM.name)
    if not share_of_engines or share_of_engines * FASTER_THAN_LITELLM < 1:
        return ""
    return (
        f"With engines on the same cores, {FASTER_THAN_LITELLM:g} times LiteLLM is out of reach: "
        f"the engines asked directly give {1 / share_of_engines:.1f} times what comes through it."
    )


def _reasons(what: str, reasons: Mapping[str, str], titles: Mapping[str, str]) -> str:
    return pairs({f"{what}: {titles.get(n, plain(n))}": plain(why) for n, why in reasons.items()})


def _turns(rows: Rows, titles: Mapping[str, str]) -> str:
    if not rows:
        return ""
    ordered = sorted(rows, key=lambda row: (row["concurrency"], row["cpu_us_per_chunk"]))
    heads = (
        *("concurrency", "through", "req/s", "chunks/s", "of direct", "TTFT p50, ms"),
        *("TTFT p99, ms", "CPU µs per chunk", "errors"),
    )
    return table(heads, [_turn(row, titles) for row in ordered], "rl")


def _turn(row: Mapping[str, Any], titles: Mapping[str, str]) -> list[str]:
    figures = row["figures"]
    chunks = figures["chunks_s"]
    return [
        str(row["concurrency"]),
        titles.get(row["way"], plain(row["way"])),
        f"{figures['req_s']['through']:.1f}",
        f"{chunks['through']:,.0f}",
        f"{chunks['ratio']:.2f} ({chunks['ratio_min']:.2f}–{chunks['ratio_max']:.2f})",
        f"{figures['ttft_ms_p50']['through']:.0f}",
        f"{figures['ttft_ms_p99']['through']:.0f}",
        f"{row['cpu_us_per_chunk']:.0f}",
        str(row["errors"]),
    ]


def _overload_lead(document: Mapping[str, Any]) -> str:
    method = document["method"]
    return (
        f"{method['overload_times_capacity']:g} times what a way's own engines answer, for "
        f"{method['effort']['overload_s']:g} s, with a first token due within "
        f"{method['overload_budget_ms']:,} ms. In time per USD counts what was not in time as if "
        "it had been bought:"
    )


def _overload(outcomes: Rows, titles: Mapping[str, str]) -> str:
    if not outcomes:
        return ""
    heads = (
        *("through", "asked", "in time", "late", "refused", "lost", "TTFT p50, ms"),
        *("TTFT p99, ms", "bought", "USD spent", "in time per USD"),
    )
    rows = [
        [
            titles.get(each["way"], plain(each["way"])),
            f"{each['asks']:,}",
            share(each["attainment"]),
            *(f"{each[name]:,}" for name in ("late", "refused", "lost")),
            *(_ms(each[name]) for name in ("ttft_ms_p50", "ttft_ms_p99")),
            f"{each['bought']['requests']:,}",
            f"{(each['bought_nano_usd'] + each['cards_nano_usd']) / NANO_PER_USD:.4f}",
            f"{each['in_time_per_usd']:,.0f}",
        ]
        for each in sorted(outcomes, key=lambda each: -each["in_time_per_usd"])
    ]
    return table(heads, rows)


def _short(result: Result) -> str:
    """A line per gateway: its throughput, its CPU, and how it takes an overload."""
    document = result.document
    titles = _titles(document)
    beside = {row["way"]: row for row in document["engines"] if row["concurrency"] == CONCURRENCY}
    alone = {row["way"]: row for row in document["scripted"] if row["concurrency"] == CONCURRENCY}
    outcomes = {each["way"]: each for each in document["overload"]}
    rows = []
    for way, title in titles.items():
        through, cost, outcome = beside.get(way), alone.get(way), outcomes.get(way)
        if through is None and cost is None and outcome is None:
            continue
        rows.append(
            [
                title,
                NONE if through is None else f"{through['figures']['chunks_s']['ratio']:.2f}",
                NONE if cost is None else f"{cost['figures']['chunks_s']['through']:,.0f}",
                NONE if cost is None else f"{cost['cpu_us_per_chunk']:.0f}",
                NONE if outcome is None else share(outcome["attainment"]),
                NONE if outcome is None else f"{outcome['refused'] + outcome['lost']:,}",
                NONE if outcome is None else f"{outcome['in_time_per_usd']:,.0f}",
            ]
        )
    if not rows:
        return ""
    heads = (
        *("through", "of the engines' chunks/s", "chunks/s alone", "CPU µs per chunk"),
        *("overload: in time", "refused or lost", "in time per USD"),
    )
    return paragraphs(
        f"**Beside other gateways**, at concurrency {CONCURRENCY}; then "
        f"{document['method']['overload_times_capacity']:g} times what the engines can do:",
        table(heads, rows),
        f"({result.in_short(_COMMAND)})",
    )


def _ms(value: float | None) -> str:
    return NONE if value is None else f"{value:,.0f}"
