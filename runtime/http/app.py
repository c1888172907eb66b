"""The HTTP edge: routes, keys, size limits, and one envelope for everything that goes wrong.

Order of checks on a request: key, size, JSON, schema, tags, model, context. None of them
touches an engine or the ledger. The answer itself is streamed by ``runtime.lifecycle``.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.errors import (
    BadRequest,
    BaseloadError,
    BodyTooLarge,
    InternalError,
    MethodNotAllowed,
    ModelNotFound,
    RequestTimeout,
    RouteNotFound,
    UnsupportedMediaType,
    envelope,
    headers,
)
from runtime.gateway import Gateway
from runtime.http.auth import KeyRing
from runtime.http.body_writer import SERVER_SEND, body_writer
from runtime.http.limits import LIMITS, refusals
from runtime.http.openapi import KEYED, DocumentedApp, documented
from runtime.http.presence import ClientLeft, while_present
from runtime.http.tags import parse_tags
from runtime.http.wire import ChatRequest, CompletionRequest, parse_chat, parse_completion
from runtime.job import Job, exactly_counted, needs_exact_count, new_job
from runtime.lifecycle import answer

log = logging.getLogger("baseload.http")

Parse = Callable[[bytes], ChatRequest | CompletionRequest]

CONTEXT_UNKNOWN = 131_072  # of a model that only offers serve: they check it themselves


class Edge:
    """What the routes need; filled in when the process has started."""

    def __init__(self) -> None:
        self._gateway: Gateway | None = None
        self._keys: KeyRing | None = None

    def open(self, gateway: Gateway, keys: KeyRing) -> None:
        self._gateway, self._keys = gateway, keys

    @property
    def gateway(self) -> Gateway:
        if self._gateway is None:
            raise InternalError("a request came before the gateway was open")
        return self._gateway

    def tenant(self, request: Request) -> str:
        if self._keys is None:
            raise InternalError("a request came before the keys were loaded")
        return self._keys.tenant_of(request.headers.get("authorization"))


def create_app(edge: Edge) -> ASGIApp:
    """FastAPI serves, documents and routes; generation has a short way past its middleware."""
    app = DocumentedApp(title="Baseload", version="1", redirect_slashes=False)
    routes = {
        "/v1/chat/completions": Generation(edge, "/chat/completions", parse_chat),
        "/v1/completions": Generation(edge, "/completions", parse_completion),
    }
    for path, generation in routes.items():
        app.add_api_route(
            path,
            generation.respond,
            methods=["POST"],
            response_class=Response,
            summary=f"OpenAI-compatible {path.removeprefix('/v1/')}, streamed or not",
            openapi_extra=documented(generation.kind),
        )
    _add_information(app, edge)
    app.add_exception_handler(BaseloadError, _on_baseload_error)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _on_http_exception)  # type: ignore[arg-type]
    return Boundary(app, routes)


class Generation:
    """One generation route: request in, a streamed answer out."""

    def __init__(self, edge: Edge, path: str, parse: Parse) -> None:
        self._edge = edge
        self._path = path
        self._parse = parse
        self.kind = ChatRequest if parse is parse_chat else CompletionRequest

    async def respond(self, request: Request) -> Response:
        tenant = self._edge.tenant(request)
        parsed = self._parse(await _read_body(request))
        gateway = self._edge.gateway
        return Answer(gateway, await _job(gateway, request, tenant, self._path, parsed))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The same, as an ASGI app of its own."""
        try:
            response = await self.respond(Request(scope, receive))
            await response(scope, receive, send)
        except BaseloadError as error:
            await _envelope(error, scope["baseload.request_id"])(scope, receive, send)


def _add_information(app: FastAPI, edge: Edge) -> None:
    @app.get("/v1/models", summary="The models that this endpoint serves", openapi_extra=KEYED)
    async def models(request: Request) -> dict[str, Any]:
        edge.tenant(request)
        names = edge.gateway.models()
        data = [{"id": name, "object": "model", "owned_by": "baseload"} for name in names]
        return {"object": "list", "data": data}

    @app.get("/live", summary="The process answers")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @app.get("/ready", summary="A request would be served")
    async def ready(response: Response) -> dict[str, Any]:
        gateway = edge.gateway
        is_ready = gateway.ready()
        response.status_code = 200 if is_ready else 503
        replicas = {
            model: sum(1 for target in gateway.locals.values() if target.pool.model == model)
            for model in gateway.pools
        }
        return {"ready": is_ready, "replicas": replicas, "offers": sorted(gateway.accounts)}


class Answer(Response):
    """Streams a job; ends it within the same moment if the client leaves."""

    def __init__(self, gateway: Gateway, job: Job) -> None:
        self.background = None
        self._gateway = gateway
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        writer = body_writer(scope.get(SERVER_SEND, scope["baseload.send"].inner))
        try:
            async with while_present(receive):
                await answer(self._gateway, self._job, scope["baseload.send"], writer)
        except ClientLeft:
            log.info("%s: the client left", self._job.request_id)


async def _job(
    gateway: Gateway,
    request: Request,
    tenant: str,
    path: str,
    parsed: ChatRequest | CompletionRequest,
) -> Job:
    tags = parse_tags(request.headers.items())
    if parsed.model not in gateway.models():
        served = ", ".join(gateway.models())
        raise ModelNotFound(f"There is no such model here. Served: {served}.", param="model")
    pool = gateway.pools.get(parsed.model)
    context_tokens_max = pool.context_tokens_max if pool else CONTEXT_UNKNOWN
    job = new_job(
        request_id=request.scope["baseload.request_id"],
        tenant=tenant,
        tags=tags,
        path=path,
        request=parsed,
        estimator=gateway.estimator,
        context_tokens_max=context_tokens_max,
        ttft_budget_ms=gateway.config.ttft_budget_ms,
        offers=gateway.offers_for(tenant, tags.sensitivity),
    )
    if needs_exact_count(job, context_tokens_max):
        tokenizer = pool.tokenizer if pool else None
        return await asyncio.to_thread(exactly_counted, job, context_tokens_max, tokenizer)
    return job


async def _read_body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedMediaType("Send JSON, with content-type: application/json.")
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
            await (shortcut or self.documented)(scope, receive, track)
        except ClientDisconnect:
            log.info("%s: the client left before its request was complete", request_id)
        except Exception:  # the boundary: logged, counted, opaque to the client
            log.exception("%s failed", request_id)
            refusals["internal_error"] += 1
            if track.started:
                raise
            await _envelope(InternalError(), request_id)(scope, receive, send)


async def _on_baseload_error(request: Request, error: BaseloadError) -> Response:
    return _envelope(error, request.scope["baseload.request_id"])


async def _on_http_exception(request: Request, error: HTTPException) -> Response:
    own: BaseloadError
    if error.status_code == 404:
        own = RouteNotFound("There is no such route. See /docs.")
    elif error.status_code == 405:
        allow = (error.headers or {}).get("Allow", "")
        own = MethodNotAllowed(allow=tuple(allow.split(", ")))
    else:
        own = BadRequest("The request could not be read.")
    return _envelope(own, request.scope["baseload.request_id"])


def _envelope(error: BaseloadError, request_id: str) -> Response:
    return JSONResponse(
        envelope(error, request_id),
        status_code=error.status,
        headers={**headers(error), "x-request-id": request_id},
    )
