"""`baseload drill`: plays failures against a copy of the configured gateway, and says what came."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from cluster.checks.check_config_file import CheckReport, Place
from cluster.cli.check import EXIT_ERRORS, examined, print_findings
from cluster.cli.drill.lines import show
from cluster.cli.drill.options import DrillOptions
from cluster.cli.report_file import check_writable, origin, write_report
from cluster.cli.terminal import note
from cluster.cli.typer_options import takes
from cluster.drill.drill_report import DrillReport
from cluster.drill.incidents import Incident, Scenario
from cluster.drill.run_drill import DrillPlan, drill
from cluster.profile import Profile
from runtime.targets.provider_accounts import utc_today

EXIT_FORBIDDEN = 1


@takes(DrillOptions)
def drill_command(options: DrillOptions) -> None:
    """Play failures of targets, and report what users would have seen. Nothing running is touched.

    It builds the gateway of a config file in this process, with its rules, tenants, laws and
    prices, and scripted targets on loopback ports in the place of every provider and pool. No
    stack that runs and no provider is asked, and no key is read, so it needs no permission. Each
    kind of requests is sent, with and without personal data, before a fault and with it. Times are
    those that are added to an answer; scripted targets say nothing of speed.

    Exit status 1 if a request went where the laws or the rules of the file forbid it, and 2 if
    the file has errors.

    Example: baseload drill docs/examples/task-rules.yaml --report drill.html

    Example: baseload drill serve.yaml --scenario outage --scenario slow --seconds 20 --json
    """
    check_writable(options.report)
    found = examined(options.config, Place.ELSEWHERE)
    if found.profile is None:
        print_findings(note, found)
        raise typer.Exit(EXIT_ERRORS)
    with _quiet():
        report = asyncio.run(drill(_plan(options, found, found.profile), _say))
    show(report, as_json=options.as_json)
    _keep(report, options.report)
    if report.misplaced:
        raise typer.Exit(EXIT_FORBIDDEN)


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
