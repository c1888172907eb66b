"""Plays a drill that was asked for on the command line, shows what came, and keeps its report."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.checks.check_config_file import CheckReport
from cluster.cli.drill.lines import show
from cluster.cli.drill.options import DrillOptions
from cluster.cli.report_file import origin, write_report
from cluster.cli.terminal import note
from cluster.drill.drill_report import DrillReport
from cluster.drill.incidents import Incident
from cluster.drill.run_drill import DrillPlan, drill
from cluster.drill.scenario import Scenario
from cluster.profile import Profile
from runtime.targets.provider_accounts import utc_today


def play(options: DrillOptions, found: CheckReport, profile: Profile) -> DrillReport:
    """The report, which has been shown."""
    with _quiet():
        report = asyncio.run(drill(_plan(options, found, profile), _say))
    show(report, as_json=options.as_json)
    _keep(report, options.report)
    return report


def _plan(options: DrillOptions, found: CheckReport, profile: Profile) -> DrillPlan:
    return DrillPlan(
        name=str(options.config),
        config=profile.routing,
        pools=found.pools,
        has_local_key=profile.args.local_key,
        today=utc_today(),
        scenarios=list(dict.fromkeys(options.scenario or Scenario)),
        seconds=options.seconds,
        rate_per_s=options.rate_per_s,
    )


def _say(number: int, of: int, incident: Incident, left_s: float) -> None:
    note.print(f"  [{number}/{of}] {incident.what}; about {left_s:.0f} s left")


def _keep(report: DrillReport, path: Path | None) -> None:
    if path is None:
        return
    from cluster.cli.drill.page import drill_page  # templates are of the extra "bench"

    write_report(path, drill_page(report, origin()))
    note.print(f"report in {path}")


@contextmanager
def _quiet() -> Iterator[None]:
    """The copy logs what is done to it, which the report says; failures of its own are shown."""
    loggers = [logging.getLogger(name) for name in ("baseload", "asyncio")]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)
