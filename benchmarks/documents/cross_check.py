"""`baseload bench` beside vLLM's own serving benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.documents.markdown import paragraphs, plain, table
from benchmarks.documents.results import Result
from benchmarks.documents.section import Section
from benchmarks.studies.cross_check import FIGURES

_COMMAND = "python -m benchmarks.studies.cross_check"


def section(result: Result) -> Section:
    document = result.document
    pairs = len(document["loads"][0]["pairs"])
    limit = f"{100 * document['at_most']:.0f} %"
    body = paragraphs(
        f"One vLLM server, and two clients that take turns at it: {pairs} pairs of runs of "
        f"{document['seconds']:g} s at each load, {document['input_tokens']} tokens in and "
        f"{document['output_tokens']} out. Ratios are medians over the pairs, with their range in "
        "brackets.",
        table(
            ("load", "", "vLLM's benchmark", "`baseload bench`", "ratio"),
            [row for load in document["loads"] for row in _rows(load)],
            "ll",
        ),
        f"All within {limit}." if document["holds"] else f"Not all within {limit}.",
        result.in_full(_COMMAND),
    )
    return Section("The load client beside vLLM's", body)


def _rows(load: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for number, (key, label) in enumerate(FIGURES.items()):
        found = load["figures"][key]
        spread = f"{found['ratio_min']:.3f}–{found['ratio_max']:.3f}"
        rows.append(
            [
                "" if number else plain(load["load"]),
                label,
                f"{found['vllm']:,.1f}",
                f"{found['ours']:,.1f}",
                f"{found['ratio']:.3f} ({spread})",
            ]
        )
    return rows
