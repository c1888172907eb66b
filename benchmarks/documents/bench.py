"""Theta and the cost of a token by utilization, as ``baseload bench`` measured them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

from benchmarks.documents.markdown import NONE, pairs, paragraphs, plain, table
from benchmarks.documents.results import Result
from benchmarks.documents.section import Section
from benchmarks.load.figures import FIGURES, dollars, milliseconds, per_second
from benchmarks.load.plots import cost_by_utilization
from benchmarks.simulation.figures import share

_COMMAND = "baseload bench URL --sweep"


def section(result: Result) -> Section:
    document, swept = result.document, "curve" in result.document
    model = plain(document["model"])
    parts = [_asked(document), theta_in_words(document) if swept else ""]
    parts.append(_curve(document["curve"]) if swept else _figures(document["figures"]))
    if document["notes"]:
        parts.append("\n".join(f"- {plain(note)}" for note in document["notes"]))
    name = PurePath(result.name).stem
    has_theta = swept and document["theta"] is not None
    plots = {name: cost_by_utilization(document["curve"])} if has_theta else {}
    title = f"The capacity of {model}" if swept else f"Load on {model}"
    short = f"**Capacity**: {theta_in_words(document)} ({result.in_short()})" if has_theta else ""
    return Section(title, paragraphs(*parts, result.in_full(_COMMAND)), plots, short)


def theta_in_words(document: Mapping[str, Any]) -> str:
    theta, slo, model = document["theta"], document["slo"], plain(document["model"])
    if theta is None:
        return f"No theta: {plain(str(document['failure']))}."
    rates = document["rates_at_theta_per_s"]
    words = (
        f"{model} gives {per_second(theta['mean'])} output tokens per second and card within a "
        f"first token of {slo['ttft_ms']:g} ms and {slo['tpot_ms']:g} ms per token, at "
        f"{rates[-1]:.3g} requests/s"
    )
    if document["theta_spread"] is not None:
        words += (
            f"; {len(document['thetas'])} sweeps lie within {share(document['theta_spread'])} of "
            "each other"
        )
    return f"{words}."


def _asked(document: Mapping[str, Any]) -> str:
    traffic = {key: value for key, value in document["traffic"].items() if value is not None}
    price = document["card_usd_per_h"]
    entries = {
        "Load": plain(", ".join(f"{key} {value}" for key, value in traffic.items())),
        "Window": f"{document['seconds']:g} s after {document['warmup_s']:g} s of warm-up",
        "Cards": f"{document['cards']}, "
        + ("no price" if price is None else f"${price:g} an hour"),
    }
    return pairs(entries)


def _curve(curve: list[Mapping[str, Any]]) -> str:
    columns: tuple[tuple[str, str, Callable[[float], str]], ...] = (
        ("requests/s", "rate_per_s", "{:.3g}".format),
        ("in time", "attainment", share),
        ("utilization", "utilization", share),
        ("good tokens/s per card", "good_tok_s_per_card", per_second),
        ("USD per M output", "usd_per_mtok_output", dollars),
        ("USD per M blended", "usd_per_mtok_blended", dollars),
        ("busy", "busy_share", share),
        ("first token, p99", "ttft_ms_p99", milliseconds),
    )
    rows = [
        [
            *(NONE if point[key] is None else text(point[key]) for _, key, text in columns),
            "yes" if point["kept_slo"] else "no",
        ]
        for point in curve
    ]
    return table([*(head for head, _, _ in columns), "kept the SLO"], rows, "")


def _figures(found: Mapping[str, Mapping[str, float | None] | None]) -> str:
    """Those that were measured: the mean over the runs, and half of its 95 % interval."""
    rows = []
    for figure in FIGURES:
        interval = found.get(figure.key)
        if interval is None or interval["mean"] is None:
            continue
        low, high = interval["low"], interval["high"]
        spread = NONE if low is None or high is None else f"± {figure.text((high - low) / 2)}"
        rows.append([figure.label, figure.text(interval["mean"]), spread, figure.says])
    return table(("", "mean", "95 %", ""), rows)
