"""The private HTTP app of one engine: an allow-list of routes behind a per-boot token.

Only Schedulers talk to it. Routes: the two OpenAI routes, the load stream, the model list, and
text to tokens and back; vLLM's public server with its many open paths is never started. Each
data-parallel rank has them under a path of its own, because to a Scheduler every rank is a replica.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.engine.engine_settings import EngineFacts
from runtime.engine.load_meter import LoadMeter

Handler = Callable[[Request], Awaitable[Response]]
TOKENIZE_PATH, DETOKENIZE_PATH = "/v1/tokenize", "/v1/detokenize"
RANK_HEADER = b"x-data-parallel-rank"  # vLLM's own
ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]


def rank_path(rank: int, ranks: int) -> str:
    """What stands before the routes of a rank; nothing where there is only one."""
    return f"/rank/{rank}" if ranks > 1 else ""


@dataclass
class PrivateApp:
    """The private ASGI app of an engine. ``draining`` refuses new work with 503 and lets the
    running finish."""

    facts: EngineFacts
    meters: Sequence[LoadMeter]  # by rank
    token: str
    chat: Handler
    complete: Handler
    errors: Mapping[type[Exception], ErrorHandler]  # what the handlers may raise
    tokens: Mapping[str, Handler] = field(default_factory=dict)  # text to tokens and back, by path
    draining: bool = False
    in_flight: int = 0
    _app: Starlette = field(init=False)

    def __post_init__(self) -> None:
        ranks = len(self.meters)
        routes: Sequence[BaseRoute] = self._routes(0)
        if ranks > 1:
            routes = [
                Mount(rank_path(rank, ranks), routes=self._routes(rank)) for rank in range(ranks)
            ]
        self._app = Starlette(routes=routes, exception_handlers=dict(self.errors))

    def _routes(self, rank: int) -> list[Route]:
        async def load(request: Request) -> Response:
            stream = self.meters[rank].subscribe(self.facts.limits.kv_tokens_max)
            return StreamingResponse(stream, media_type="application/x-ndjson")

        return [
            Route("/v1/chat/completions", self._at(rank, self.chat), methods=["POST"]),
            Route("/v1/completions", self._at(rank, self.complete), methods=["POST"]),
            Route("/v1/models", self._models, methods=["GET"]),
            *(Route(path, handler, methods=["POST"]) for path, handler in self.tokens.items()),
            Route("/load", load, methods=["GET"]),
        ]

    def _at(self, rank: int, handler: Handler) -> Handler:
        """The engine would choose a rank by itself; the Scheduler knows better."""
        if len(self.meters) == 1:
            return handler

        async def at_rank(request: Request) -> Response:
            headers = [*request.scope["headers"], (RANK_HEADER, str(rank).encode())]
            return await handler(Request({**request.scope, "headers": headers}, request.receive))

        return at_rank

    @property
    def state(self) -> State:
        return self._app.state

    def asgi(self) -> ASGIApp:
        return self._gate

    async def _gate(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if not _authorised(scope, self.token):
            await _refuse(401, "wrong or missing token")(scope, receive, send)
            return
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        if self.draining:
            await _refuse(503, "draining")(scope, receive, send)
            return
        self.in_flight += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self.in_flight -= 1

    async def _models(self, request: Request) -> Response:
        entry = {"id": self.facts.model, "object": "model", "owned_by": "baseload"}
        return JSONResponse({"object": "list", "data": [entry]})


def _authorised(scope: Scope, token: str) -> bool:
    expected = b"Bearer " + token.encode()
    given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    return hmac.compare_digest(given, expected)


def _refuse(status: int, message: str) -> Response:
    error = {"message": message, "type": "private_app", "param": None, "code": None}
    return JSONResponse({"error": error}, status_code=status)
