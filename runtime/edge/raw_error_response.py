"""A refusal as the bytes of an answer, for where there is no request yet to answer."""

from __future__ import annotations

import json
from http import HTTPStatus

from runtime.errors import BaseloadError
from runtime.wire.error_envelope import OPENAI_ERRORS

NO_ID = "none"  # of a request that has not come far enough to have one


def whole_refusal(error: BaseloadError) -> bytes:
    """The bytes of an answer, for where there is no request to answer. The connection ends.

    Which API its caller speaks nobody can know: OpenAI's form is the one that most do.
    """
    body = json.dumps(OPENAI_ERRORS.envelope(error, NO_ID)).encode()
    lines = [
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "connection: close",
        *(f"{name}: {value}" for name, value in OPENAI_ERRORS.headers(error, NO_ID).items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
