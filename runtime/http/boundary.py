"""The outermost layer: every request gets its id here, and every failure its envelope."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Mapping

from fastapi import FastAPI
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.errors import InternalError
from runtime.http.limits import refusals
from runtime.http.refusal import refusal

log = logging.getLogger("baseload.http")


class _Track:
    """The server's own ``send``, and whether an answer has begun.

    Answers are streamed on it directly: each layer of middleware would wrap it once more, and
    pay for that on every chunk.
    """

    __slots__ = ("inner", "started")

    def __init__(self, send: Send) -> None:
        self.inner = send
        self.started = False

    def __call__(self, message: Message) -> Awaitable[None]:
        self.started = True
        return self.inner(message)


class Boundary:
    """Outermost: mints the request id, and turns whatever was not foreseen into an opaque 500.

    A generation route is called past FastAPI's middleware and router: measured, they cost as
    much per request as everything that Baseload does for it.
    """

    def __init__(self, app: FastAPI, shortcuts: Mapping[str, ASGIApp]) -> None:
        self.documented = app
        self._shortcuts = shortcuts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request_id = scope["baseload.request_id"] = "req-" + secrets.token_hex(12)
        track = scope["baseload.send"] = _Track(send)
        shortcut = self._shortcuts.get(scope["path"]) if scope["method"] == "POST" else None
        try:
            if shortcut is None:
                await self._other(scope, receive, track)
            else:
                await shortcut(scope, receive, track)
        except ClientDisconnect:
            log.info("%s: the client left before its request was complete", request_id)
        except Exception:  # the boundary: logged, counted, opaque to the client
            log.exception("%s failed", request_id)
            refusals["internal_error"] += 1
            if track.started:
                raise
            await refusal(InternalError(), request_id)(scope, receive, send)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A trailing slash is no other route, and HEAD is GET of which the server sends no body."""
        path = scope["path"].rstrip("/") or "/"
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        app = self._shortcuts.get(path, self.documented) if method == "POST" else self.documented
        await app({**scope, "path": path, "method": method}, receive, send)
