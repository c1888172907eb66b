"""One line of JSON for each request, at its end: who asked, where it went and why, what it cost.

Refused requests have one, too. Never in it: a prompt, an answer, a key. Every string in it has a
bound, and JSON leaves no way to write a second line into the first.

Lines are written some milliseconds late, many at once: measured, that takes a third of the time
that each by itself takes between other work, and none of it before an answer.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, TextIO

from pydantic_core import to_json

from models.money import format_usd
from runtime.clock import SYSTEM, Clock
from runtime.errors import InternalError
from runtime.message_text import shown
from runtime.request.request_record import RequestRecord
from runtime.request_limits import LIMITS, refusals
from scheduler.decision import Outcome

CLIENT_CLOSED = 499  # the status of a request whose client left before an answer began
FLUSH_S = 0.05

# Asked every few seconds by machines, or read by people: their lines would hide the others.
_QUIET = frozenset({"/", "/live", "/ready", "/health", "/docs", "/redoc", "/openapi.json"})


class AccessLog:
    """Writes to ``stream``, from the loop that it is used in; to nowhere while there is none."""

    def __init__(self, stream: TextIO | None = None, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self.stream = stream
        self._ended: list[RequestRecord] = []
        self._flush: asyncio.TimerHandle | None = None

    def add(self, record: RequestRecord) -> None:
        """A request that has just ended."""
        if self.stream is None or record.path in _QUIET:
            return
        if len(self._ended) >= LIMITS.log_lines_max:
            refusals["log_lines_max"] += 1
            return
        record.ended_s, record.ended_unix_ms = self._clock.monotonic_s(), self._clock.unix_ms()
        self._ended.append(record)
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(FLUSH_S, self.flush)

    def flush(self) -> None:
        """What was added is written when this returns."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        ended, self._ended = self._ended, []
        if self.stream is None or not ended:
            return
        try:
            self.stream.write("".join([line(record) for record in ended]))
            self.stream.flush()
        except OSError:  # a full disk, or nobody at the pipe's other end: requests go on
            refusals["log_lines_lost"] += len(ended)


def line(record: RequestRecord) -> str:
    return to_json(fields(record)).decode() + "\n"


def fields(record: RequestRecord) -> dict[str, Any]:
    last = record.last
    outcome, error = _ending(record)
    ended = datetime.fromtimestamp(record.ended_unix_ms / 1000, UTC)
    return {
        "time": ended.isoformat(timespec="milliseconds"),
        "request_id": record.request_id,
        "client_request_id": record.client_request_id,
        "trace_id": record.trace.trace_id if record.trace else None,
        "method": record.method,
        "path": shown(record.path),
        "status": CLIENT_CLOSED if record.status is None else record.status,
        "outcome": outcome,
        "error": error,
        "tenant": record.tenant,
        "feature": record.feature,
        "task": record.task,
        "model": record.model,
        "streamed": record.streamed,
        "personal_data": record.personal_data,
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
        "e2e_ms": round((record.ended_s - record.arrived_s) * 1000),
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
