"""A drill's report as a page: one file that loads nothing, with every kind of requests."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.pages.templates import environment
from cluster.cli.drill.lines import HEADS, row, summary, total
from cluster.drill.drill_report import DrillReport

_TEMPLATES = environment("cluster.cli.drill", is_html=True)


def drill_page(report: DrillReport, origin: Mapping[str, str]) -> str:
    return _TEMPLATES.get_template("drill.html.j2").render(
        title="What users would see if targets failed",
        lead=f"{report.config}, {report.as_of}; {report.rate_per_s:g} requests per second for "
        f"{report.seconds:g} s per scenario, the fault from the middle on",
        verdict=summary(report),
        notes=report.notes,
        heads=HEADS,
        incidents=[
            (each, [row(line) for line in each.lines], total(each)) for each in report.incidents
        ],
        origin=origin,
    )
