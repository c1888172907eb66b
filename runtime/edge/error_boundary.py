"""The outermost layer: every request gets its id here, and every failure its envelope."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping

from fastapi import FastAPI
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.edge.cors import allowing, is_allowed, preflight
from runtime.edge.edge_context import RECORD, SEND, Edge
from runtime.edge.error_response import refusal
from runtime.edge.generation_routes import Generation
from runtime.edge.request_headers import (
    CLIENT_REQUEST_ID,
    ID_IS_SERVERS,
    ORIGIN,
    REQUEST_ID,
    UPGRADE,
    Headers,
    client_request_id,
    read_head,
    trace_context,
)
from runtime.edge.request_ids import RequestIds
from runtime.errors import BadRequest, BaseloadError, InternalError
from runtime.request.request_record import RequestRecord
from runtime.request_limits import refusals

log = logging.getLogger("baseload.http")

_NO_HEADER = b""
_CLOSE = (b"connection", b"close")
_WANTED_METHOD, _WANTED_HEADERS = (
    b"access-control-request-method",
    b"access-control-request-headers",
)


class Track:
    """The server's own ``send``: sees the status, and adds to an answer's head what each has.

    Answers are streamed on it directly: each layer of middleware would wrap it once more, and
    pay for that on every chunk.
    """

    __slots__ = ("_record", "inner", "started", "told")

    def __init__(self, send: Send, record: RequestRecord) -> None:
        self.inner = send
        self.started = False
        self.told: Headers = [(REQUEST_ID, record.request_id.encode())]
        self._record = record

    def __call__(self, message: Message) -> Awaitable[None]:
        if not self.started:
            self.started = True
            self._record.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self.told]
        return self.inner(message)


class Boundary:
    """The outermost layer mints the request id, and turns whatever was not foreseen into an opaque
    500.

    A generation route is called past FastAPI's middleware and router: measured, they cost as
    much per request as everything that Baseload does for it.
    """

    def __init__(self, app: FastAPI, routes: Mapping[str, Generation], edge: Edge) -> None:
        self.documented = app
        self._routes = routes
        self._edge = edge
        self._ids = RequestIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        arrived_s = self._edge.clock.monotonic_s()
        record = RequestRecord(self._ids.next(), scope["method"], scope["path"], arrived_s)
        route = self._routes.get(_without_slash(record.path))
        if route is not None:
            record.error_form = route.dialect.error_form
        track = Track(send, record)
        scope[RECORD], scope[SEND] = record, track
        try:
            app = self._read(scope, record, track)
            if app is None:
                app = self._other if route is None or record.method != "POST" else route
            await app(scope, receive, track)
        except BaseloadError as error:
            await refusal(error, record)(scope, receive, track)
        except ClientDisconnect:
            record.left = True
            log.info("%s: the client left before its request was complete", record.request_id)
        except Exception:  # the boundary: logged, counted, opaque to the client
            log.exception("%s failed", record.request_id)
            refusals["internal_error"] += 1
            record.error = InternalError.code
            if track.started:
                raise
            await refusal(InternalError(), record)(scope, receive, track)
        finally:
            if record.counted is not None:
                record.counted.end(self._edge.clock.monotonic_s())
            if self._edge.logs_requests:
                self._edge.access_log.add(record)

    def _read(self, scope: Scope, record: RequestRecord, track: Track) -> ASGIApp | None:
        """Reads the headers that every request may have; the answer, if they already need one."""
        found = read_head(scope["headers"])
        if ID_IS_SERVERS in scope:
            found.pop(REQUEST_ID, None)
        record.client_request_id = client_request_id(found)
        record.trace = trace_context(found)
        if record.client_request_id is not None:
            track.told.append((CLIENT_REQUEST_ID, record.client_request_id.encode()))
        if found.get(UPGRADE, _NO_HEADER).lower() == b"websocket":
            track.told.append(_CLOSE)
            raise BadRequest('WebSockets are not served: send a request with "stream": true.')
        if not (allowed := self._edge.allowed_origins):
            return None
        asking = found.get(ORIGIN, _NO_HEADER)
        track.told += allowing(allowed, asking)
        if record.method != "OPTIONS" or not is_allowed(allowed, asking):
            return None
        asked = dict(scope["headers"])
        if _WANTED_METHOD not in asked:
            return None
        return preflight(asked.get(_WANTED_HEADERS, _NO_HEADER).decode("latin-1"))

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """HEAD is GET of which the server sends no body."""
        path = _without_slash(scope["path"])
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        await self.documented({**scope, "path": path, "method": method}, receive, send)


def _without_slash(path: str) -> str:
    """A trailing slash is no other route."""
    return path.rstrip("/") or "/"
