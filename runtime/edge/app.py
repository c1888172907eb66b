"""The HTTP edge: routes, keys, size limits, and one envelope for everything that goes wrong.

Order of checks on a request: key, its tenant's limits, size, JSON, schema, tags, model, context,
its tenant's tokens. None of them touches an engine. The answer itself is streamed by
``runtime.request_attempts``.
"""

from __future__ import annotations

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from runtime.edge.config_route import add_config
from runtime.edge.edge_context import RECORD, Edge
from runtime.edge.error_boundary import Boundary
from runtime.edge.error_response import refusal
from runtime.edge.feedback_route import add_feedback
from runtime.edge.generation_routes import Generation
from runtime.edge.openapi import DocumentedApp, documented
from runtime.edge.root_page import WHAT
from runtime.edge.route_not_found import is_anthropics, route_not_found
from runtime.edge.status_routes import add_information, add_pages
from runtime.edge.tokenize_routes import add_tokens
from runtime.errors import BadRequest, BaseloadError, MethodNotAllowed
from runtime.request.request_record import RequestRecord
from runtime.version import VERSION
from runtime.wire.dialect_registry import DIALECTS
from runtime.wire.error_envelope import ANTHROPIC_ERRORS


def create_app(edge: Edge) -> ASGIApp:
    """FastAPI serves, documents and routes; generation has a short way past its middleware."""
    app = DocumentedApp(
        title="Baseload",
        version=VERSION,
        description=WHAT,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    routes = {dialect.route: Generation(edge, dialect) for dialect in DIALECTS}
    for path, generation in routes.items():
        app.add_api_route(
            path,
            generation.respond,
            methods=["POST"],
            response_class=Response,
            summary=generation.dialect.summary,
            openapi_extra=documented(generation.dialect),
        )
    add_tokens(app, edge)
    add_feedback(app, edge)
    add_information(app, edge)
    add_config(app, edge)
    add_pages(app, edge)
    app.add_exception_handler(BaseloadError, _on_baseload_error)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _on_http_exception)  # type: ignore[arg-type]
    return Boundary(app, routes, edge)


async def _on_baseload_error(request: Request, error: BaseloadError) -> Response:
    return refusal(error, request.scope[RECORD])


async def _on_http_exception(request: Request, error: HTTPException) -> Response:
    own: BaseloadError
    record: RequestRecord = request.scope[RECORD]
    if error.status_code == 404:
        own = route_not_found(request.scope["path"])
        if is_anthropics(request.scope["path"], request.scope["headers"]):
            record.error_form = ANTHROPIC_ERRORS
    elif error.status_code == 405:
        own = MethodNotAllowed(allow=_allowed(error))
    else:
        own = BadRequest("The request could not be read.")
    return refusal(own, record)


def _allowed(error: HTTPException) -> tuple[str, ...]:
    methods = (error.headers or {}).get("Allow", "").split(", ")
    return tuple([*methods, "HEAD"] if "GET" in methods else methods)
