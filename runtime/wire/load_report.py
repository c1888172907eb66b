"""An engine's load as a line of its load stream, written there and read by each scheduler.

Whether what a line says is plausible, others judge.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any

from runtime.request_limits import refusals
from scheduler.replica import EngineLoad, LoadReport, Replica

_FIELDS = {each.name: each.default for each in fields(EngineLoad)}
_OPTIONAL = frozenset({"prefill_tok_s", "decode_step_s"})  # until they were measured


def encode_load(load: EngineLoad) -> bytes:
    return json.dumps({name: getattr(load, name) for name in _FIELDS}).encode() + b"\n"


def decode_load(line: bytes, replica: Replica) -> LoadReport | None:
    """None, and counted, where the line is no report; what it says beyond one is ignored."""
    try:
        told = json.loads(line)
        numbers = {
            name: told[name] if default is MISSING else told.get(name, default)
            for name, default in _FIELDS.items()
        }
    except (ValueError, TypeError, KeyError, RecursionError):
        numbers = {}
    if not numbers or not all(_fits(name, value) for name, value in numbers.items()):
        refusals["load_report_unreadable"] += 1
        return None
    return LoadReport(**numbers, replica_id=replica.replica_id, generation=replica.generation)


def _fits(name: str, value: Any) -> bool:
    if value is None:
        return name in _OPTIONAL
    return isinstance(value, int | float) and not isinstance(value, bool)
