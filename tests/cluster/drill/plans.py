"""Drills of the shipped examples, short enough for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from cluster.checks.resolve_pools import Known, resolve
from cluster.drill.drill_report import DrillReport, IncidentReport, Line
from cluster.drill.run_drill import DrillPlan, drill
from cluster.drill.scenario import Scenario
from cluster.profile import parse
from tests.runtime.routing.example import document

TODAY = date(2026, 11, 30)
RATE_PER_S = 20.0


def plan(
    name: str, scenarios: Sequence[Scenario], *, requests: int, content: Any = None
) -> DrillPlan:
    """``requests`` are sent before the fault, and as many with it."""
    profile = parse(Path(name), content or document(name))
    return DrillPlan(
        name=name,
        config=profile.routing,
        pools=resolve(profile.args, Known.load(), Path("/none")).pools,
        has_local_key=profile.args.local_key,
        today=TODAY,
        scenarios=scenarios,
        seconds=2 * requests / RATE_PER_S,
        rate_per_s=RATE_PER_S,
    )


async def drilled(wanted: DrillPlan) -> DrillReport:
    return await drill(wanted, lambda *_: None)


def one(report: DrillReport, what: str) -> IncidentReport:
    (found,) = [each for each in report.incidents if each.what == what]
    return found


def line(incident: IncidentReport, asked: str, data: str, tenant: str = "local") -> Line:
    (found,) = [
        each
        for each in incident.lines
        if (each.asked, each.data) == (asked, data) and tenant in each.tenants
    ]
    return found


def ends(found: Line) -> tuple[set[str], set[str]]:
    """By whom, or how, it ended before the fault and with it."""
    before, during = found.before, found.during
    return ({_end(each) for each in before.endings}, {_end(each) for each in during.endings})


def _end(ending: Any) -> str:
    return ending.code or f"{ending.model} at {ending.target}"
