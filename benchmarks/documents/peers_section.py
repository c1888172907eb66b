"""Baseload beside other gateways, in front of the same engines and of a scripted upstream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import matplotlib as mpl
from matplotlib.ticker import PercentFormatter

from benchmarks.documents.markdown import plain
from benchmarks.documents.results import Result
from benchmarks.documents.section import Section
from benchmarks.documents.template import section_of
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
from benchmarks.peers.confidence import IN_BRACKETS, with_bounds
from benchmarks.peers.litellm import LITELLM
from benchmarks.peers.side_by_side import DIRECT
from benchmarks.peers.verdicts import CONCURRENCY, FASTER_THAN_LITELLM
from models.money import NANO_PER_USD

_LOOKS = (
    *((BLUE, "o"), (VERMILLION, "^"), (GREEN, "s")),
    *((ORANGE, "D"), (PURPLE, "v"), (SKY, "P"), (GREY, "X")),
)

Rows: TypeAlias = Sequence[Mapping[str, Any]]


def section(result: Result) -> Section:
    document = result.document
    titles, engines = _titles(document), document["engines"]
    beside, alone = (_where_judged(document[name]) for name in ("engines", "scripted"))
    plots = {"peers": share_by_concurrency(engines, titles)} if engines else {}
    return section_of(
        "peers",
        plots,
        result=result,
        document=document,
        titles=titles,
        beside=beside,
        alone=alone,
        outcomes={each["way"]: each for each in document["overload"]},
        engines_over_litellm=_ceiling(beside),
        concurrency=CONCURRENCY,
        faster_than_litellm=FASTER_THAN_LITELLM,
        in_brackets=IN_BRACKETS,
        nano_per_usd=NANO_PER_USD,
        with_bounds=with_bounds,
    )


def _where_judged(rows: Rows) -> dict[str, Mapping[str, Any]]:
    """By way, at the concurrency that the claims are about."""
    return {row["way"]: row for row in rows if row["concurrency"] == CONCURRENCY}


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


def _ceiling(beside: Mapping[str, Mapping[str, Any]]) -> float | None:
    """How many times LiteLLM's chunks the engines give, where that is less than the claim: no
    gateway passes on more than the engines give, whatever it is compared with."""
    if LITELLM.name not in beside:
        return None
    share_of_engines: float = beside[LITELLM.name]["figures"]["chunks_s"]["ratio"]
    if not share_of_engines or share_of_engines * FASTER_THAN_LITELLM < 1:
        return None
    return 1 / share_of_engines
