"""The routes that only tell: what is served, whether it can be, and what this is."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response

from runtime.edge.docs_page import docs_body
from runtime.edge.edge_context import Edge
from runtime.edge.html import page
from runtime.edge.model_list_entry import entry
from runtime.edge.openapi import KEYED
from runtime.edge.root_page import example, welcome
from runtime.run_mark import run_id
from runtime.served_models import model_not_found, names


def add_information(app: FastAPI, edge: Edge) -> None:
    _add_models(app, edge)
    _add_probes(app, edge)


def add_pages(app: FastAPI, edge: Edge) -> None:
    """Adds the pages for people. They are no part of the API, and so not in its document."""

    @app.get("/", include_in_schema=False)
    async def root(request: Request) -> Response:
        return welcome(request, edge.example_model)

    @app.get("/redoc", include_in_schema=False)
    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        body = docs_body(app.openapi(), example(request, edge.example_model))
        return page("Baseload API", body)


def _add_models(app: FastAPI, edge: Edge) -> None:
    @app.get("/v1/models", summary="The models that this endpoint serves", openapi_extra=KEYED)
    async def models(request: Request) -> dict[str, Any]:
        edge.tenant(request)
        gateway = edge.gateway
        data = [entry(gateway, name, edge.opened_s) for name in names(gateway)]
        return {"object": "list", "data": data}

    @app.get("/v1/models/{model:path}", summary="One of them", openapi_extra=KEYED)
    async def one(request: Request, model: str) -> dict[str, Any]:
        edge.tenant(request)
        gateway = edge.gateway
        if model not in names(gateway):
            raise model_not_found(gateway)
        return entry(gateway, model, edge.opened_s)


def _add_probes(app: FastAPI, edge: Edge) -> None:
    @app.get("/live", summary="The process answers: restart it where this fails")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @app.get("/health", summary="The same as /ready, by the name that vLLM has for it")
    @app.get("/ready", summary="A request would be served: send traffic where this is 200")
    async def ready(response: Response) -> dict[str, Any]:
        gateway = edge.gateway
        is_ready = gateway.ready()
        response.status_code = 200 if is_ready else 503
        replicas = {
            model: sum(1 for target in gateway.locals.values() if target.pool.model == model)
            for model in gateway.pools
        }
        told = {"ready": is_ready, "replicas": replicas, "offers": sorted(gateway.accounts)}
        if shut := gateway.shut_targets():
            told["shut"] = shut
        if run := run_id():  # so that whoever started it knows that it is this one that answers
            told["run"] = run
        if (metrics := edge.metrics_url) is not None:
            told["metrics"] = metrics
        told["config"] = gateway.config_version
        if gateway.refused is not None:
            told["config_refused"] = gateway.refused.line
        return told
