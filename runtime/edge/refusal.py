"""A refusal as HTTP: the one envelope, its headers, and the request's id."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from runtime.errors import BaseloadError, anthropic_envelope, envelope, headers
from runtime.request.record import RequestRecord


def refusal(error: BaseloadError, record: RequestRecord) -> Response:
    _note(error, record)
    body = envelope(error, record.request_id)
    return JSONResponse(body, status_code=error.status, headers=headers(error))


def anthropic_refusal(error: BaseloadError, record: RequestRecord) -> Response:
    """As Anthropic's clients read it: their envelope, and their name for the id."""
    _note(error, record)
    body = anthropic_envelope(error, record.request_id)
    told = {**headers(error), "request-id": record.request_id}
    return JSONResponse(body, status_code=error.status, headers=told)


def _note(error: BaseloadError, record: RequestRecord) -> None:
    record.error = error.code
    record.reason = error.reason or record.reason
