"""How far the planner's speeds are from measured ones, and another planner's where it answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import PercentFormatter

from benchmarks.documents.markdown import NONE, paragraphs, plain, table
from benchmarks.documents.results import Result
from benchmarks.documents.section import Section
from benchmarks.fits.planner_tables import ALL
from benchmarks.pages.drawing import BLUE, ORANGE, STYLE, Plot, as_svg, single_panel

_COMMAND = "python -m benchmarks.fits.planner_fit ../shared/data"
_PEERS_COMMAND = "python -m benchmarks.fits.planner_peers ../shared/data --peer-python PATH"
_BAR = 0.38

Errors: TypeAlias = Mapping[str, Mapping[str, float | None]]


def section(result: Result) -> Section:
    document = result.document
    seen, out = document["in_sample"], document["held_out"]
    heads = ("model", "rows", "TPOT, in the fit", "TPOT, held out", "bias", "TTFT, held out")
    rows = [
        [
            plain(model),
            str(each["rows"]),
            _percent(seen[model]["tpot_pct"]),
            _percent(each["tpot_pct"]),
            NONE if each["tpot_bias"] is None else f"{each['tpot_bias']:.2f}",
            _percent(each["ttft_pct"]),
        ]
        for model, each in out.items()
    ]
    screened = ", ".join(f"{count} {plain(why)}" for why, count in document["screened"].items())
    body = paragraphs(
        f"Median absolute errors on {document['rows']} measured rows ({plain(document['source'])}),"
        f" with {document['parameters']} fitted parameters. Held out: the model was not in the "
        f"fit. A bias above 1 means that predictions are too long. Left out by rule: {screened}.",
        table(heads, rows),
        f"The band that a plan prints, ±{document['tpot_band_pct']:.0f} % of TPOT, covers "
        f"{100 * document['tpot_band_covers']:.0f} % of the rows that were held out.",
        result.in_full(_COMMAND),
        _beside(document["peers"]) if "peers" in document else "",
    )
    return Section(
        "The planner against measured rows",
        body,
        {"planner": errors_by_model(seen, out)},
        short(result),
    )


def short(result: Result) -> str:
    document = result.document
    peers = document.get("peers", {})
    text = (
        f"**The planner** against {document['rows']} measured rows of H100 and H200, each model "
        "left out of the fit in turn: the time per output token is "
        f"{document['held_out_middle_model_tpot_pct']:.0f} % off in the middle model and "
        f"{document['held_out_worst_model_tpot_pct']:.0f} % in the worst"
    )
    if "peer_version" in peers:
        common = peers["answered_by_all"]
        ours, its = (_of_all(common, name, "tpot_pct") for name in _two(common))
        text += (
            f"; on the {_rows(common)} rows that both answer, {ours} where AIConfigurator "
            f"{plain(peers['peer_version'])} is {its} off"
        )
    return f"{text}. ({result.date:%Y-%m-%d})"


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


def _beside(peers: Mapping[str, Any]) -> str:
    """Ours, the peer's and a plain roofline's errors on the same rows."""
    parts = [f"### Beside other predictors\n\n`{_PEERS_COMMAND}`, {peers['date'][:10]}."]
    if "peer_left_out" in peers:
        parts.append(f"AIConfigurator is left out: {plain(peers['peer_left_out'])}.")
    else:
        refused = sum(peers["peer_refused"].values())
        parts.append(
            f"AIConfigurator {plain(peers['peer_version'])} refused {refused} of {peers['rows']} "
            "rows."
        )
    for key, title in (("all_rows", "All rows"), ("answered_by_all", "Rows that all answer")):
        parts.append(f"{title}, errors of TPOT / TTFT:")
        parts.append(_predictors(peers[key]))
    return paragraphs(*parts)


def _predictors(columns: Mapping[str, Errors]) -> str:
    models = next(iter(columns.values()))
    rows = [
        [
            plain(model),
            str(max(int(errors[model]["rows"] or 0) for errors in columns.values())),
            *(
                f"{_percent(e[model]['tpot_pct'])} / {_percent(e[model]['ttft_pct'])}"
                for e in columns.values()
            ),
        ]
        for model in models
    ]
    return table(("model", "rows", *map(plain, columns)), rows)


def _two(columns: Mapping[str, Errors]) -> tuple[str, str]:
    """Ours as held out, and the peer."""
    names = list(columns)
    return names[0], names[-1]


def _rows(columns: Mapping[str, Errors]) -> int:
    return int(next(iter(columns.values()))[ALL]["rows"] or 0)


def _of_all(columns: Mapping[str, Errors], name: str, key: str) -> str:
    return _percent(columns[name][ALL][key])


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{value:.0f} %"
