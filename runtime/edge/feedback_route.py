"""``POST /v1/feedback``: what a caller says of the answer to an earlier request of its tenant.

The first word on a request counts. The same once more is answered as the first was, so that a
client may send it again; another one is refused. All of it is on disk before it is answered.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.responses import JSONResponse

from runtime.edge.edge_context import RECORD, Edge
from runtime.edge.enforce_tenant_limits import let_in
from runtime.edge.openapi import KEYED
from runtime.edge.request_body import read_body
from runtime.errors import LedgerUnavailable, QueueFull
from runtime.feedback_errors import FeedbackExists, NothingToJudge, RequestNotFound
from runtime.ledger.feedback_log import FeedbackLog
from runtime.ledger.store import Feedback
from runtime.request.request_record import RequestRecord
from runtime.request_limits import LIMITS, refusals
from runtime.wire.feedback_request import FeedbackRequest, parse_feedback


class FeedbackRoute:
    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._in_flight = 0

    async def respond(self, request: Request) -> Response:
        record: RequestRecord = request.scope[RECORD]
        tenant = record.tenant = self._edge.tenant(request)
        let_in(self._edge, tenant, request)  # its record ends it
        told, dropped = parse_feedback(await read_body(request, "feedback_bytes_max"))
        ledger = self._edge.gateway.ledger
        if not ledger.healthy():
            raise LedgerUnavailable
        if self._in_flight >= LIMITS.feedback_in_flight_max:
            refusals["feedback_in_flight_max"] += 1
            raise QueueFull("Too much feedback is under way. Try again later.")
        if record.counted is not None:
            record.counted.worked(0, 0)  # the disk does: a request, without tokens
        self._in_flight += 1
        now_ms = self._edge.clock.unix_ms()
        try:
            kept = await asyncio.to_thread(_kept, ledger.feedback, tenant, told, now_ms)
        finally:
            self._in_flight -= 1
        record.model = kept.model
        ignored = ", ".join(dropped)[: LIMITS.ignored_chars_max]
        headers = {"x-baseload-ignored": ignored} if ignored else None
        return JSONResponse(_told(kept), headers=headers)


def add_feedback(app: FastAPI, edge: Edge) -> None:
    schema = FeedbackRequest.model_json_schema()
    app.add_api_route(
        "/v1/feedback",
        FeedbackRoute(edge).respond,
        methods=["POST"],
        response_class=Response,
        summary="What is said of the answer to an earlier request",
        openapi_extra={
            **KEYED,
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        },
    )


def _kept(log: FeedbackLog, tenant: str, told: FeedbackRequest, now_ms: int) -> Feedback:
    """What is on disk. Waits for it: for a thread."""
    known = log.request(told.request_id)
    if known is None or known.tenant != tenant:
        raise RequestNotFound(param="request_id")
    if known.answer is None:
        raise NothingToJudge(param="request_id")
    row = Feedback(
        request_id=told.request_id,
        tenant=tenant,
        model=known.answer.model,
        task=known.answer.task,
        language=known.answer.language,
        score=told.value,
        at_ms=now_ms,
        answered_ms=known.answer.ended_ms,
    )
    kept = log.record(row)
    if kept.score != row.score:
        raise FeedbackExists(param="request_id")
    return kept


def _told(kept: Feedback) -> dict[str, Any]:
    return {
        "object": "feedback",
        "request_id": kept.request_id,
        "model": kept.model,
        "task": kept.task,
        "language": kept.language,
        "score": kept.score,
    }
