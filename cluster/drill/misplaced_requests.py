"""Did anything go where it may not? Asked of what targets received, and of the ledger's evidence.

Neither trusts the gateway's word for what a request was: the drill knows what it sent, and works
out by itself who may have that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date

from cluster.checks.data_flows.flows import ALLOWED, Flows, Kind
from cluster.checks.data_flows.recipients import targets_of
from cluster.drill.drill_report import Misplaced
from cluster.drill.request_kinds import RequestKind
from cluster.drill.scripted_targets import Received
from runtime.config import GatewayConfig
from runtime.ledger.hash_chain import LedgerEntry
from runtime.ledger.rows import NO_TARGET
from runtime.request.evidence import ALLOWED as ALLOWED_CODE
from runtime.routing.rule_restriction import facts_by_target, restriction_of
from scheduler.compliance.compliance_matrix import LOCAL
from scheduler.target import TargetKind

WhyNot = Callable[[RequestKind, str], str | None]


def why_not(config: GatewayConfig, pools: Sequence[str], today: date) -> WhyNot:
    """Why a kind of request may not go to a target, "local" or an offer's id; None: it may."""
    flows = Flows(config, targets_of(config, pools))
    targets = {each.name: each for each in flows.targets}
    facts = facts_by_target(config)
    restrictions = {name: restriction_of(name, each, facts) for name, each in config.rules.items()}

    def found(kind: RequestKind, target: str) -> str | None:
        if target not in targets:
            return "no such target"
        asked = Kind(kind.tenant_kind, kind.user_in, kind.sensitivity)
        verdict = flows.verdict(asked, targets[target], today)
        if verdict.code != ALLOWED:
            return f"{verdict.code} {verdict.rule or ''} {verdict.fact or ''}".strip()
        if not kind.is_rule:
            return None
        restriction = restrictions[kind.asked]
        is_open = kind.sensitivity in restriction.sensitivities
        forbidden = (restriction.forbidden if is_open else restriction.closed).get(target)
        return None if forbidden is None else str(forbidden)

    return found


def misplaced(
    received: Iterable[Received], sent: Mapping[int, tuple[RequestKind, WhyNot]]
) -> Iterator[Misplaced]:
    """Requests that a target received and may not have had. ``sent`` has each by its serial number,
    with the rules that were in force when it was sent."""
    for each in received:
        known = None if each.serial is None else sent.get(each.serial)
        if known is None:
            yield Misplaced(target=each.target, why="nobody sent it", seen_by="target")
            continue
        kind, why = known
        if (forbidden := why(kind, each.target)) is not None:
            yield _misplaced(kind, each.target, forbidden, "target")


def misplaced_in_ledger(
    entries: Iterable[LedgerEntry], kinds: Mapping[str, tuple[RequestKind, WhyNot]]
) -> Iterator[Misplaced]:
    """Intents whose own evidence does not allow their target, and those that may not be. ``kinds``
    has requests by their ids."""
    for entry in entries:
        if entry.kind != "reserve" or entry.target in (None, NO_TARGET):
            continue
        target = _plain(entry.target or "")
        known = kinds.get(entry.request_id)
        if known is not None and (forbidden := known[1](known[0], target)) is not None:
            yield _misplaced(known[0], target, forbidden, "ledger")
        elif (told := _told(entry, target)) is not None:
            yield Misplaced(target=target, why=told, seen_by="ledger", request_id=entry.request_id)


def _plain(target: str) -> str:
    """ "local" of any replica, and an offer's id without the word before it."""
    return LOCAL if target.startswith(TargetKind.LOCAL.prefix) else target.partition(":")[2]


def _told(entry: LedgerEntry, target: str) -> str | None:
    """What is wrong by the verdicts that the row holds. A row may have no room for all."""
    evidence = json.loads(entry.evidence or "{}")
    codes = {code for _, place, code, _ in evidence.get("verdicts", []) if place == target}
    if ALLOWED_CODE in codes or (not codes and evidence.get("verdicts_left_out")):
        return None
    return f"its evidence says {', '.join(sorted(codes)) or 'nothing of this target'}"


def _misplaced(kind: RequestKind, target: str, why: str, seen_by: str) -> Misplaced:
    return Misplaced(
        target=target,
        why=why,
        seen_by=seen_by,
        asked=kind.asked,
        tenant=kind.tenant,
        sensitivity=kind.sensitivity.value,
    )
