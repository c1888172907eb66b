"""An outage of a stand-in that a prompt asks for, so that whoever tries the local profile sees what
becomes of a request whose vendor is down. Real vendors and replicas read nothing of it.
"""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MARK = b"[outage]"


def down_where_asked(app: ASGIApp) -> ASGIApp:
    """``app``, which answers 503 to a body with ``MARK`` in it, to who may call it at all."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def read() -> Message:
            message = await receive()
            if MARK in message.get("body", b""):
                raise HTTPException(503, "This request asked for an outage.")
            return message

        await app(scope, read, send)

    return answer
