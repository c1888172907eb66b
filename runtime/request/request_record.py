"""What is known of one request by now, from its first byte to its last: what its log line says."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.ledger.rows import Ending, Settle
from runtime.request.evidence import Evidence
from runtime.request.trace_context import TraceContext
from runtime.wire.error_envelope import OPENAI_ERRORS, ErrorForm
from scheduler.decision import Buy, Dispatch
from scheduler.tenant_limits import Counted


@dataclass(slots=True)
class RequestRecord:
    """Filled in on the way; what was not reached stays None. All strings are bounded."""

    request_id: str
    method: str = ""
    path: str = ""
    arrived_s: float = 0.0  # monotonic
    ended_s: float = 0.0  # of the same clock
    ended_unix_ms: int = 0
    client_request_id: str | None = None  # what the caller calls it
    trace: TraceContext | None = None
    error_form: ErrorForm = OPENAI_ERRORS  # how its caller reads a refusal
    tenant: str | None = None
    feature: str | None = None
    task: str | None = None
    model: str | None = None
    streamed: bool | None = None
    personal_data: list[str] | None = None  # kinds that were found; None: nobody looked
    evidence: Evidence | None = None  # of what it was taken for; None: not read so far
    counted: Counted | None = None  # against its tenant's limits; None: it has none
    status: int | None = None  # None: no answer has begun
    left: bool = False  # the client left before its answer was complete
    error: str | None = None  # the code of a refusal, or of what broke
    reason: str | None = None  # why this target, or why none
    target: str | None = None
    attempts: int = 0
    cost_nano_usd: int = 0  # of all attempts
    last: Settle | None = None  # the ending of the last attempt

    def attempt_ended(self, decision: Dispatch | Buy, row: Settle) -> None:
        self.attempts = row.attempt
        self.target, self.reason = str(decision.target), decision.reason.value
        self.cost_nano_usd += row.cost_nano_usd
        self.last = row
        if self.counted is not None and row.ending is not Ending.VOID:
            self.counted.worked(row.prompt_tokens, row.completion_tokens)
