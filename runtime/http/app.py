"""The HTTP edge: routes, keys, size limits, and one envelope for everything that goes wrong.

Order of checks on a request: key, size, JSON, schema, tags, model, context. None of them
touches an engine or the ledger. The answer itself is streamed by ``runtime.lifecycle``.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from runtime.errors import BadRequest, BaseloadError, MethodNotAllowed, RouteNotFound
from runtime.http.boundary import Boundary
from runtime.http.edge import Edge
from runtime.http.generation import Generation
from runtime.http.openapi import KEYED, DocumentedApp, documented
from runtime.http.refusal import refusal
from runtime.http.wire import parse_chat, parse_completion


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


async def _on_baseload_error(request: Request, error: BaseloadError) -> Response:
    return refusal(error, request.scope["baseload.request_id"])


async def _on_http_exception(request: Request, error: HTTPException) -> Response:
    own: BaseloadError
    if error.status_code == 404:
        own = RouteNotFound("There is no such route. See /docs.")
    elif error.status_code == 405:
        allow = (error.headers or {}).get("Allow", "")
        own = MethodNotAllowed(allow=tuple(allow.split(", ")))
    else:
        own = BadRequest("The request could not be read.")
    return refusal(own, request.scope["baseload.request_id"])
