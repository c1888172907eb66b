"""What stands before the Scheduler in Serve's HTTP server: one request id, no Serve switches, and
our own protocol.

Serve lets a caller's headers name the request id, set a timeout, or switch off the handling of
disconnects. Here they are dropped, and an answer carries one id, which is ours. The caller's own
goes on under the name by which the edge tells it apart from ours.
Serve finds ``middlewares`` through RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH.
"""

from __future__ import annotations

import uvicorn.config
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.edge.body_writer import SERVER_SEND
from runtime.edge.request_headers import CLIENT_REQUEST_ID, ID_IS_SERVERS, REQUEST_ID, Headers
from runtime.edge.uvicorn_protocol import EdgeProtocol

IMPORT_PATH = "cluster.ingress.middlewares"
PROTOCOL = f"{EdgeProtocol.__module__}:{EdgeProtocol.__name__}"
SERVE_SWITCHES = frozenset(
    {
        REQUEST_ID,
        b"x-request-timeout-seconds",
        b"x-request-disconnect-disabled",
        b"serve_multiplexed_model_id",
        b"serve-multiplexed-model-id",
        b"x-session-id",
    }
)


SERVES_ROUTES = "/-/routes"


def middlewares() -> list[Middleware]:
    """Serve calls this right before it starts the server, and lets uvicorn choose the protocols:
    from a table, in which ours are put."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = PROTOCOL
    uvicorn.config.WS_PROTOCOLS["auto"] = None
    return [Middleware(OneRequestId)]


class OneRequestId:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _without_switches(scope["headers"])

        async def send_one_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _first_id_only(message["headers"])
            await send(message)

        path = scope["path"]
        if path.endswith(SERVES_ROUTES):  # Serve would tell them; the edge knows no such route
            path += "/"
        scope = {**scope, "path": path, "headers": headers, SERVER_SEND: send, ID_IS_SERVERS: True}
        await self._app(scope, receive, send_one_id)


def _without_switches(headers: Headers) -> Headers:
    kept = [pair for pair in headers if pair[0] not in SERVE_SWITCHES]
    if len(kept) == len(headers) or any(name == CLIENT_REQUEST_ID for name, _ in kept):
        return kept
    theirs = [(CLIENT_REQUEST_ID, value) for name, value in headers if name == REQUEST_ID]
    return kept + theirs


def _first_id_only(headers: Headers) -> Headers:
    kept: Headers = []
    seen = False
    for name, value in headers:
        is_id = name.lower() == REQUEST_ID
        if not (is_id and seen):
            kept.append((name, value))
        seen = seen or is_id
    return kept
