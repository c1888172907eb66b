"""A refusal as HTTP: the one envelope, its headers, and the request's id."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from runtime.errors import BaseloadError, envelope, headers


def refusal(error: BaseloadError, request_id: str) -> Response:
    return JSONResponse(
        envelope(error, request_id),
        status_code=error.status,
        headers={**headers(error), "x-request-id": request_id},
    )
