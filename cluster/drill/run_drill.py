"""A drill: what goes where in good order, then every incident at a fresh copy of the gateway."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cluster.checks.data_flows.list_in_words import some
from cluster.checks.resolve_pools import ResolvedPool
from cluster.drill.before_and_during import (
    P50,
    P99,
    Spent,
    added_ms,
    ends_otherwise,
    quantile,
    side,
    spent_by_request,
)
from cluster.drill.drill_report import DrillReport, IncidentReport, Line, Misplaced
from cluster.drill.gateway_copy import GatewayCopy, gateway_copy, pool_name
from cluster.drill.incident_verdict import verdict
from cluster.drill.incidents import Incident, incidents, with_empty_matrix
from cluster.drill.misplaced_requests import WhyNot, misplaced, misplaced_in_ledger, why_not
from cluster.drill.request_kinds import RequestKind, request_kinds
from cluster.drill.scenario import Scenario
from cluster.drill.scripted_targets import Received
from cluster.drill.traffic import Seen, caller
from runtime.config import GatewayConfig
from runtime.engine.scripted_engine import ASKED_KEPT_MAX
from runtime.errors import ConfigError
from runtime.ledger.hash_chain import LedgerEntry
from runtime.ledger.open_store import open_store
from scheduler.target import TargetKind

REQUESTS_MAX = ASKED_KEPT_MAX  # of an incident: a scripted engine keeps so many
START_S = 2.0  # of a copy, about
NOISE_MS_MIN = 20.0  # what a machine adds by itself

OnIncident = Callable[[int, int, Incident, float], None]  # number, of how many, what, seconds left


@dataclass(frozen=True, slots=True)
class DrillPlan:
    """``config`` and ``pools`` are an operator's; half of ``seconds`` is before the fault."""

    name: str
    config: GatewayConfig
    pools: Sequence[ResolvedPool]
    has_local_key: bool
    today: date
    scenarios: Sequence[Scenario]
    seconds: float
    rate_per_s: float

    @property
    def models(self) -> list[str]:
        """The models of the pools."""
        return [pool.args.model for pool in self.pools]

    @property
    def half(self) -> int:
        """Requests before the fault, and as many with it."""
        return max(1, round(self.seconds * self.rate_per_s / 2))


async def drill(plan: DrillPlan, on_incident: OnIncident) -> DrillReport:
    kinds = request_kinds(plan.config, plan.models, plan.today, has_local_key=plan.has_local_key)
    if len(kinds) > REQUESTS_MAX or 2 * plan.half > REQUESTS_MAX:
        most = max(len(kinds), 2 * plan.half)
        raise ConfigError(f"{most} requests of one scenario: at most {REQUESTS_MAX}")
    looked = await _look(plan, kinds)
    wanted = list(incidents(plan.scenarios, plan.config, plan.models, _first(looked)))
    found: list[IncidentReport] = []
    each_s, started_s = plan.seconds + START_S, time.monotonic()
    for number, incident in enumerate(wanted):
        if number:
            each_s = (time.monotonic() - started_s) / number
        on_incident(number + 1, len(wanted), incident, (len(wanted) - number) * each_s)
        found.append(await _incident(plan, kinds, incident))
    return DrillReport(
        config=plan.name,
        as_of=plan.today,
        seconds=plan.seconds,
        rate_per_s=plan.rate_per_s,
        notes=_notes(plan, kinds, looked),
        incidents=found,
    )


@dataclass(frozen=True, slots=True)
class _Played:
    seen: list[Seen]
    received: list[Received]
    entries: list[LedgerEntry]
    spent: dict[str, Spent]


async def _look(plan: DrillPlan, kinds: Sequence[RequestKind]) -> list[Seen]:
    """Every kind once, without a fault."""
    with tempfile.TemporaryDirectory(prefix="baseload-drill-") as folder:
        async with (
            gateway_copy(plan.config, plan.pools, _tenants(kinds), Path(folder)) as copy,
            caller(copy, kinds) as calls,
        ):
            await calls.send(len(kinds), plan.rate_per_s, is_under_fault=False)
    return calls.seen


async def _play(plan: DrillPlan, kinds: Sequence[RequestKind], incident: Incident) -> _Played:
    with tempfile.TemporaryDirectory(prefix="baseload-drill-") as folder:
        async with gateway_copy(plan.config, plan.pools, _tenants(kinds), Path(folder)) as copy:
            seen = await _before_and_with(plan, kinds, incident, copy)
            received = copy.received()
        with open_store(copy.ledger).reading() as reading:
            spent = spent_by_request(reading.attempts())
            return _Played(seen, received, list(reading.entries()), spent)


async def _before_and_with(
    plan: DrillPlan, kinds: Sequence[RequestKind], incident: Incident, copy: GatewayCopy
) -> list[Seen]:
    async with caller(copy, kinds) as calls:
        await calls.send(plan.half, plan.rate_per_s, is_under_fault=False)
        await incident.happen(copy)
        await calls.send(plan.half, plan.rate_per_s, is_under_fault=True)
    return calls.seen


async def _incident(
    plan: DrillPlan, kinds: Sequence[RequestKind], incident: Incident
) -> IncidentReport:
    played = await _play(plan, kinds, incident)
    wrong = _wrong(plan, kinds, incident, played)
    of_kinds: list[list[Seen]] = [[] for _ in kinds]
    for each in played.seen:
        of_kinds[each.kind].append(each)
    lines = [
        line_of(kind, seen, played.spent, incident)
        for kind, seen in zip(kinds, of_kinds, strict=True)
    ]
    affected, others = list[float](), list[float]()
    for line, seen in zip(lines, of_kinds, strict=True):
        of_line = affected if line.is_affected else others
        of_line.extend(added_ms(seen, line.before.ttft_ms_p50))
    noise_ms = max(NOISE_MS_MIN, quantile(sorted(map(abs, others)), P50) or 0.0)
    return IncidentReport(
        scenario=incident.scenario.value,
        what=incident.what,
        targets=list(incident.targets),
        verdict=verdict(incident, lines, wrong, noise_ms),
        misplaced=wrong,
        total_before=side([each for each in played.seen if not each.is_under_fault], played.spent),
        total_during=side([each for each in played.seen if each.is_under_fault], played.spent),
        added_ttft_ms_p50=quantile(sorted(affected), P50),
        added_ttft_ms_p99=quantile(sorted(affected), P99),
        noise_ms=noise_ms,
        lines=lines,
    )


def _wrong(
    plan: DrillPlan, kinds: Sequence[RequestKind], incident: Incident, played: _Played
) -> list[Misplaced]:
    """By the rules that were in force when each request was sent."""
    usual = why_not(plan.config, plan.models, plan.today)
    under_fault = usual
    if incident.scenario is Scenario.EMPTY_MATRIX:
        under_fault = why_not(with_empty_matrix(plan.config), plan.models, plan.today)

    def rules_of(seen: Seen) -> tuple[RequestKind, WhyNot]:
        return kinds[seen.kind], under_fault if seen.is_under_fault else usual

    by_serial = {each.serial: rules_of(each) for each in played.seen}
    by_id = {each.request_id: rules_of(each) for each in played.seen if each.request_id}
    return [
        *misplaced(played.received, by_serial),
        *misplaced_in_ledger(played.entries, by_id),
    ]


def line_of(
    kind: RequestKind, seen: Sequence[Seen], spent: Mapping[str, Spent], incident: Incident
) -> Line:
    before = side([each for each in seen if not each.is_under_fault], spent)
    during = side([each for each in seen if each.is_under_fault], spent)
    later = added_ms(seen, before.ttft_ms_p50)
    failing = any(_name(each) in incident.targets for each in seen if not each.code)
    return Line(
        asked=kind.asked,
        tenants=list(kind.tenants),
        user_in=kind.user_in,
        data=data_word(kind),
        sensitivity=kind.sensitivity.value,
        before=before,
        during=during,
        added_ttft_ms_p50=quantile(later, P50),
        added_ttft_ms_p99=quantile(later, P99),
        is_affected=failing or ends_otherwise(before, during),
    )


def data_word(kind: RequestKind) -> str:
    return "personal" if kind.is_personal else "plain"


def _tenants(kinds: Sequence[RequestKind]) -> list[str]:
    return list(dict.fromkeys(kind.tenant for kind in kinds))


def _first(looked: Sequence[Seen]) -> list[str]:
    """The targets that answer in good order, by their names in a copy, the most asked first."""
    answered = [each for each in looked if not each.code]
    names = Counter(_name(each) for each in answered)
    return [name for name, _ in names.most_common()]


def _name(seen: Seen) -> str:
    kind, _, rest = seen.target.partition(":")
    return pool_name(seen.model) if kind == TargetKind.LOCAL else rest.partition("/")[0]


def _notes(plan: DrillPlan, kinds: Sequence[RequestKind], looked: Sequence[Seen]) -> list[str]:
    """What has to be known to read the report."""
    found = []
    if plan.half < len(kinds):
        found.append(
            f"only {plan.half} of {len(kinds)} kinds of requests were asked in each scenario: "
            "raise --seconds or --rate"
        )
    refused: dict[tuple[str, str], list[str]] = {}
    for each in sorted(looked, key=lambda each: each.kind):
        if each.code:
            kind = kinds[each.kind]
            whose = f"{data_word(kind)} data of {some(kind.tenants)}"
            code = f"{each.status or ''} {each.code}".strip()
            refused.setdefault((whose, code), []).append(kind.asked)
    for (whose, code), asked in refused.items():
        found.append(f"without any fault, {whose} is refused: {code} ({some(asked)})")
    return found
