"""A line of a replica's load stream as a LoadReport. Whether it is plausible, others judge."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any

from runtime.limits import refusals
from scheduler.replica import LoadReport, Replica

_OPTIONAL = frozenset({"prefill_tok_s", "decode_step_s"})  # until they were measured
_REPORTED = {
    each.name: each.default
    for each in fields(LoadReport)
    if each.name not in ("replica_id", "generation")
}


def read_report(replica: Replica, line: bytes) -> LoadReport | None:
    """None, and counted, where the line is no report; what it says beyond one is ignored."""
    try:
        told = json.loads(line)
        numbers = {
            name: told[name] if default is MISSING else told.get(name, default)
            for name, default in _REPORTED.items()
        }
    except (ValueError, TypeError, KeyError, RecursionError):
        numbers = {}
    if not numbers or not all(_fits(name, value) for name, value in numbers.items()):
        refusals["load_report_unreadable"] += 1
        return None
    return LoadReport(replica.replica_id, replica.generation, **numbers)


def _fits(name: str, value: Any) -> bool:
    if value is None:
        return name in _OPTIONAL
    return isinstance(value, int | float) and not isinstance(value, bool)
