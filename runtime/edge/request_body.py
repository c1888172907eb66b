"""Reads the body of a request: JSON by its name, of bounded size, in bounded time."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from runtime.errors import BadRequest, BodyTooLarge, RequestTimeout, UnsupportedMediaType
from runtime.message_text import shown
from runtime.request_limits import LIMITS, refusals


async def read_body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedMediaType("Send JSON, with content-type: application/json.")
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", ""):
        raise UnsupportedMediaType(
            f"Send the body as it is, without content-encoding: {shown(coding)} is not taken."
        )
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit():
        raise BadRequest("The content-length header is not a number.")
    if int(declared) > LIMITS.body_bytes_max:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(LIMITS.body_read_s_max):
            async for part in request.stream():
                body += part
                if len(body) > LIMITS.body_bytes_max:
                    raise _too_large()
    except TimeoutError:
        raise RequestTimeout() from None
    return bytes(body)


def _too_large() -> BodyTooLarge:
    refusals["body_bytes_max"] += 1
    return BodyTooLarge(f"A request body may have at most {LIMITS.body_bytes_max} bytes.")
