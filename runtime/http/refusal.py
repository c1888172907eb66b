"""A refusal as HTTP: the one envelope, its headers, and the request's id."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from runtime.errors import BaseloadError, anthropic_envelope, envelope, headers


def refusal(error: BaseloadError, request_id: str) -> Response:
    return JSONResponse(
        envelope(error, request_id),
        status_code=error.status,
        headers={**headers(error), "x-request-id": request_id},
    )


def anthropic_refusal(error: BaseloadError, request_id: str) -> Response:
    """As Anthropic's clients read it: their envelope, and their name for the id."""
    return JSONResponse(
        anthropic_envelope(error, request_id),
        status_code=error.status,
        headers={**headers(error), "x-request-id": request_id, "request-id": request_id},
    )
