"""Reads the body of a request: JSON by its name, of bounded size, in bounded time."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from runtime.errors import BadRequest, BodyTooLarge, RequestTimeout, UnsupportedMediaType
from runtime.message_text import shown
from runtime.request_limits import LIMITS, refusals


async def read_body(request: Request, limit: str = "body_bytes_max") -> bytes:
    """``limit`` names its bound: no more than that is read."""
    bytes_max: int = getattr(LIMITS, limit)
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
    if int(declared) > bytes_max:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(LIMITS.body_read_s_max):
            async for part in request.stream():
                body += part
                if len(body) > bytes_max:
                    raise _too_large(limit)
    except TimeoutError:
        raise RequestTimeout() from None
    return bytes(body)


def _too_large(limit: str) -> BodyTooLarge:
    refusals[limit] += 1
    return BodyTooLarge(f"A request body may have at most {getattr(LIMITS, limit)} bytes.")
