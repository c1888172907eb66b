"""A drill's report on stdout: for each scenario its verdict, then the kinds that it changed."""

from __future__ import annotations

from rich.table import Table

from cluster.checks.data_flows.list_in_words import some
from cluster.cli.terminal import page, visible
from cluster.drill.drill_report import DrillReport, IncidentReport, Line, Side
from cluster.drill.incident_verdict import endings_text, usd

COLUMNS = 180  # of a table, where stdout is no terminal
HEADS = (
    "kind of requests",
    "before",
    "with the fault",
    "answered",
    "added ms p50",
    "p99",
    "attempts",
    "bought/1,000",
)


def show(report: DrillReport, *, as_json: bool) -> None:
    if as_json:
        print(report.model_dump_json(indent=2))
        return
    out = page(COLUMNS)
    print(visible(summary(report)))
    for each in report.notes:
        print(visible(f"note: {each}"))
    for incident in report.incidents:
        print()
        print(visible(f"WHAT IF {incident.what}"))
        for sentence in incident.verdict:
            print(visible(f"  {sentence}"))
        out.print(_table(incident))


def summary(report: DrillReport) -> str:
    """How it was played, and the one figure that must be zero."""
    requests = sum(
        each.total_before.requests + each.total_during.requests for each in report.incidents
    )
    went = report.misplaced
    forbidden = f"{went} WENT WHERE THEY ARE FORBIDDEN" if went else "0 where they are forbidden"
    return (
        f"{report.config}, a copy before scripted targets, as of {report.as_of}: "
        f"{len(report.incidents)} scenarios, {requests} requests, {forbidden}"
    )


def row(line: Line) -> tuple[str, ...]:
    who = f"{line.asked}, {line.data}, {some(line.tenants)}"
    return (
        f"{who}, user in {line.user_in}" if line.user_in else who,
        endings_text(line.before),
        *figures(line.before, line.during, line.added_ttft_ms_p50, line.added_ttft_ms_p99),
    )


def total(incident: IncidentReport) -> tuple[str, ...]:
    before, during = incident.total_before, incident.total_during
    added = incident.added_ttft_ms_p50, incident.added_ttft_ms_p99
    _, *rest = figures(before, during, *added)
    return ("all", f"{before.answered}/{before.requests} answered", "", *rest)


def figures(before: Side, during: Side, p50: float | None, p99: float | None) -> tuple[str, ...]:
    attempts = during.attempts_per_request
    return (
        endings_text(during),
        f"{during.answered}/{during.requests}",
        "-" if p50 is None else f"{p50:+,.0f}",
        "-" if p99 is None else f"{p99:+,.0f}",
        "-" if attempts is None else f"{attempts:.2f} (max {during.attempts_max})",
        f"{usd(before.bought_usd_per_1000)} to {usd(during.bought_usd_per_1000)}",
    )


def _table(incident: IncidentReport) -> Table:
    table = Table(*HEADS, box=None, header_style="")
    for line in incident.lines:
        if line.is_affected:
            table.add_row(*row(line))
    table.add_row(*total(incident))
    return table
