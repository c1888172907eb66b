"""One line of JSON for each request, at its end: who asked, where it went and why, what it cost.

Refused requests have one, too. Never in it: a prompt, an answer, a key. Every string in it has a
bound, and JSON leaves no way to write a second line into the first.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any, TextIO

from pydantic_core import to_json

from models.money import format_usd
from runtime.errors import InternalError
from runtime.http.limits import shown
from runtime.record import RequestRecord
from scheduler.decision import Outcome

CLIENT_CLOSED = 499  # the status of a request whose client left before an answer began

# Asked every few seconds by machines, or read by people: their lines would hide the others.
_QUIET = frozenset({"/", "/live", "/ready", "/health", "/docs", "/redoc", "/openapi.json"})

log = logging.getLogger("baseload.access")


def write_to(stream: TextIO) -> None:
    """From here on the lines go to this stream, as they are, and nowhere else."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(logging.INFO)


def write(record: RequestRecord) -> None:
    """The line of a request that has ended; none where nobody listens."""
    if record.path not in _QUIET and log.isEnabledFor(logging.INFO):
        line = to_json(fields(record, time.time(), time.monotonic())).decode()
        # As ``log.info`` does, without looking through the stack for who called it.
        log.handle(logging.LogRecord(log.name, logging.INFO, __file__, 0, line, None, None))


def fields(record: RequestRecord, now_unix_s: float, now_s: float) -> dict[str, Any]:
    last = record.last
    outcome, detail = _ending(record)
    return {
        "time": datetime.fromtimestamp(now_unix_s, UTC).isoformat(timespec="milliseconds"),
        "request_id": record.request_id,
        "client_request_id": record.client_request_id,
        "trace_id": record.trace.trace_id if record.trace else None,
        "method": record.method,
        "path": shown(record.path),
        "status": CLIENT_CLOSED if record.status is None else record.status,
        "outcome": outcome,
        "error": detail,
        "tenant": record.tenant,
        "feature": record.feature,
        "task": record.task,
        "model": record.model,
        "streamed": record.streamed,
        "target": record.target,
        "reason": record.reason,
        "attempts": record.attempts,
        "prompt_tokens": last.prompt_tokens if last else None,
        "cached_tokens": last.cached_tokens if last else None,
        "completion_tokens": last.completion_tokens if last else None,
        "cost_usd": format_usd(record.cost_nano_usd),
        "cost_nano_usd": record.cost_nano_usd,
        "held_ms": last.held_ms if last else None,
        "ttft_ms": last.ttft_ms if last else None,
        "e2e_ms": round((now_s - record.arrived_s) * 1000),
    }


def _ending(record: RequestRecord) -> tuple[str, str | None]:
    """How it ended for its client, and the code of what was wrong."""
    outcome, _, detail = record.last.outcome.partition(": ") if record.last else ("", "", "")
    if record.error == InternalError.code or (record.error and outcome == Outcome.OK):
        return "failed", record.error  # on our side
    if record.left and outcome != Outcome.OK:
        return Outcome.CLIENT_LEFT, None
    if outcome:
        return outcome, record.error or detail or None
    return "refused" if record.error else Outcome.OK, record.error
