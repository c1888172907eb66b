"""A refusal as HTTP: an envelope that its caller can read, its headers, and the request's id."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from runtime.errors import BaseloadError
from runtime.request.request_record import RequestRecord


def refusal(error: BaseloadError, record: RequestRecord) -> Response:
    """The error as the caller's API tells it; the request's line in the log has it, too."""
    record.error = error.code
    record.reason = error.reason or record.reason
    form, request_id = record.error_form, record.request_id
    body, told = form.envelope(error, request_id), form.headers(error, request_id)
    return JSONResponse(body, status_code=error.status, headers=told)
