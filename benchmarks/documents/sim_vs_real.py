"""How near the simulation comes to the real stack, on the same trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.documents.markdown import NONE, paragraphs, table
from benchmarks.documents.results import Result
from benchmarks.documents.section import Section

_COMMAND = "make bench-honesty"
_DIGITS = 3


def section(result: Result) -> Section:
    document = result.document
    method, runs = document["method"], document["runs"]
    tables = []
    for number, run in enumerate(runs, 1):
        rows = [_row(line) for line in run["lines"]]
        heads = (f"run {number}", "real", "simulated", "difference", "at most", "holds")
        tables.append(table(heads, rows))
    body = paragraphs(
        f"{method['trace']}, cut down to two tiny engines, at load {method['load']} of what was "
        f"measured to fit, with a first token due within {method['ttft_budget_ms']:,} ms. Before "
        "and after each run the steps of the engines are measured; the simulation gets only those, "
        "and what arrived.",
        *tables,
        result.in_full(_COMMAND),
    )
    held = sum(map(bool, document["holds"]))
    short = (
        f"The same trace on the real stack and in simulation: {held} of {len(runs)} "
        f"{'run' if len(runs) == 1 else 'runs'} agree within the limits."
    )
    return Section("Simulation against the real stack", body, short=short)


def _row(line: Mapping[str, Any]) -> list[str]:
    at_most, holds, unit = line["at_most"], line["holds"], line["unit"]
    return [
        line["name"].replace("_", " "),
        _figure(line["real"]),
        _figure(line["simulated"]),
        NONE if line["difference"] is None else f"{line['difference']:+.1f} {unit}",
        NONE if at_most is None else f"{at_most:g} {unit}",
        NONE if holds is None else "yes" if holds else "no",
    ]


def _figure(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.{_DIGITS}f}"
