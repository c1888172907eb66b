"""The verdict on one incident: sentences that somebody can act on, the gravest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from cluster.checks.data_flows.list_in_words import counted, some
from cluster.drill.drill_report import Ending, Line, Misplaced, Side
from cluster.drill.incidents import Incident
from cluster.drill.scenario import Scenario
from cluster.drill.traffic import BROKEN_OFF, NO_ANSWER, PATIENCE_S
from scheduler.compliance.compliance_matrix import LOCAL

LATER_MS_MIN = 100  # what is worth a sentence
SAID_MAX = 40
_PLAIN_CODES = {
    NO_ANSWER: f"no answer within {PATIENCE_S:g} s",
    BROKEN_OFF: "broken off after the first token",
}


def verdict(
    incident: Incident, lines: Sequence[Line], wrong: Sequence[Misplaced], noise_ms: float
) -> list[str]:
    found = [_of_misplaced(wrong)] if wrong else []
    if incident.scenario is Scenario.EMPTY_MATRIX:
        return [*found, _of_empty_matrix(lines)]
    told = [line for line in lines if line.is_affected]
    told.sort(key=lambda line: (line.during.answered - line.before.answered, _text(line)))
    said = list(dict.fromkeys(_sentences(told, noise_ms)))
    rest = len(lines) - len(told)
    found.append(_summary(lines, noise_ms))
    found += said[:SAID_MAX]
    if (more := len(said) - SAID_MAX) > 0:
        found.append(f"And {more} more: --json and --report have all.")
    if rest and told:
        found.append(f"The other {counted(rest, 'kind', 'kinds')} of requests end as before.")
    return found


def ending_text(ending: Ending) -> str:
    if not ending.code:
        where = "here" if ending.target == LOCAL else f"at {ending.target}"
        return f"{ending.model} {where}"
    if ending.code in _PLAIN_CODES:
        return _PLAIN_CODES[ending.code]
    return f"refused with {ending.status} {ending.code}"


def endings_text(side: Side) -> str:
    if len(side.endings) == 1:
        return ending_text(side.endings[0])
    return ", ".join(f"{each.requests}x {ending_text(each)}" for each in side.endings) or "-"


def _of_misplaced(wrong: Sequence[Misplaced]) -> str:
    one = wrong[0]
    who = f" ({one.sensitivity} of {one.tenant}, {one.asked})" if one.asked else ""
    times = counted(len(wrong), "time", "times")
    return f"FORBIDDEN: {times} a request was where it may not be: {one.target}{who}: {one.why}."


def _of_empty_matrix(lines: Iterable[Line]) -> str:
    sides = [line.during for line in lines]
    answered, requests = sum(s.answered for s in sides), sum(s.requests for s in sides)
    codes = sorted({ending_text(each) for side in sides for each in side.endings if each.code})
    if not answered:
        return f"All {requests} requests are {', '.join(codes)}; nothing was sent anywhere."
    return f"{answered} of {requests} requests were answered, although nothing may answer any."


def _summary(lines: Sequence[Line], noise_ms: float) -> str:
    asked = [line for line in lines if line.before.answered and line.during.requests]
    lost = [line for line in asked if not line.during.answered]
    partly = [line for line in asked if 0 < line.during.answered < line.during.requests]
    if not lost and not partly:
        later = max(
            (line.added_ttft_ms_p50 or 0.0 for line in lines if line.is_affected), default=0
        )
        if later < LATER_MS_MIN + 2 * noise_ms:
            return "HELD: whatever was answered before is still answered."
        return f"LATER: all is still answered, the worst kind {later:,.0f} ms later."
    said = [f"{len(lost)} get no answer any more"] if lost else []
    said += [f"{len(partly)} get one only at times"] if partly else []
    return f"LOST: of {counted(len(asked), 'kind', 'kinds')} of requests, {' and '.join(said)}."


def _sentences(told: Sequence[Line], noise_ms: float) -> Iterator[str]:
    """Tenants that fare alike are in one."""
    alike: dict[tuple[str, str, str, str], list[Line]] = {}
    for line in told:
        ways = (_ways(line.before), _ways(line.during))
        alike.setdefault((line.asked, line.data, *ways), []).append(line)
    for (asked, data, _, _), lines in alike.items():
        yield _sentence(f"{asked}, {data} data of {_who(lines)}", lines, noise_ms)


def _ways(side: Side) -> str:
    return "; ".join(sorted(ending_text(each) for each in side.endings))


def _who(lines: Sequence[Line]) -> str:
    return some(sorted({name for line in lines for name in line.tenants}))


def _sentence(whose: str, lines: Sequence[Line], noise_ms: float) -> str:
    line = lines[0]
    ends = f"{whose}: {endings_text(line.during)}"
    if not any(each.during.answered for each in lines):
        attempts = max(each.during.attempts_max for each in lines)
        tried = f" after {counted(attempts, 'attempt', 'attempts')}" if attempts else ""
        return f"{ends}{tried}; before: {endings_text(line.before)}."
    return f"{ends}{_later(lines, noise_ms)}{_cost(line)}."


def _later(lines: Sequence[Line], noise_ms: float) -> str:
    """A few ms more or less are the machine's own."""
    typical = max((each.added_ttft_ms_p50 or 0.0 for each in lines), default=0.0)
    worst = max((each.added_ttft_ms_p99 or 0.0 for each in lines), default=0.0)
    if worst <= noise_ms:
        return ", as soon as before"
    return f", {max(0.0, typical):,.0f} ms later (p99 {worst:,.0f} ms)"


def _cost(line: Line) -> str:
    before, during = line.before.bought_usd_per_1000, line.during.bought_usd_per_1000
    if before == during:
        return ""
    return f", at {usd(during)} instead of {usd(before)} per 1,000 such requests"


def usd(exact: str) -> str:
    """The amount to a hundredth of a cent: documents have it exact."""
    return f"${Decimal(exact):,.4f}"


def _text(line: Line) -> str:
    return f"{line.asked} {line.data} {line.tenants[0]}"
