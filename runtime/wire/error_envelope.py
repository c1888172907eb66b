"""How a refusal is told, in the words of the API that its caller speaks.

Every form tells the same facts, those of ``runtime.errors``.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

from runtime.error_headers import error_headers
from runtime.errors import BaseloadError


class ErrorForm(Protocol):
    """One API's way to tell that a request is refused."""

    def envelope(self, error: BaseloadError, request_id: str) -> dict[str, Any]:
        """The body of a refusal. A fault on our side names the request to quote."""
        ...

    def headers(self, error: BaseloadError, request_id: str) -> dict[str, str]:
        """The headers of a refusal, all names in lower case."""
        ...


class OpenAIErrors:
    """OpenAI's form, which the servers of open models have taken over."""

    def envelope(self, error: BaseloadError, request_id: str) -> dict[str, Any]:
        return {"error": _facts(error, _message(error, request_id))}

    def headers(self, error: BaseloadError, request_id: str) -> dict[str, str]:
        return error_headers(error)


class AnthropicErrors:
    """Errors have Anthropic's form: the type follows from the status, and the request's id is told
    twice."""

    def envelope(self, error: BaseloadError, request_id: str) -> dict[str, Any]:
        kind = _ANTHROPIC_TYPES.get(error.status) or (
            "api_error" if error.status >= 500 else "invalid_request_error"
        )
        told = {"type": kind, "message": _message(error, request_id)}
        return {"type": "error", "error": told, "request_id": request_id}

    def headers(self, error: BaseloadError, request_id: str) -> dict[str, str]:
        return {**error_headers(error), "request-id": request_id}


# https://docs.anthropic.com/en/api/errors
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}

OPENAI_ERRORS = OpenAIErrors()
ANTHROPIC_ERRORS = AnthropicErrors()


def openai_error_frame(error: BaseloadError, tokens_billed: int) -> bytes:
    """The last frame of a stream that failed. No ``[DONE]`` may follow it."""
    told = {"error": {**_facts(error, error.message), "tokens_billed": tokens_billed}}
    return b"data: " + json.dumps(told, separators=(",", ":")).encode() + b"\n\n"


def _message(error: BaseloadError, request_id: str) -> str:
    return f"{error.message} (request {request_id})" if error.status >= 500 else error.message


def _facts(error: BaseloadError, message: str) -> dict[str, Any]:
    return {"message": message, "type": error.type, "param": error.param, "code": error.code}
