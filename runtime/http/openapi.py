"""The OpenAPI document: request bodies from the models that parse them, tags, and the key.

The routes take raw requests, so that only our own parser sees a body; FastAPI then knows
neither its schema nor how callers prove who they are.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from runtime.http.tags import TAG_HEADERS
from runtime.http.wire import ChatRequest, CompletionRequest

KEYED: dict[str, Any] = {"security": [{"api_key": []}]}

_KINDS = (ChatRequest, CompletionRequest)
_REFERENCE = "#/components/schemas/{model}"


class DocumentedApp(FastAPI):
    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        components = document.setdefault("components", {})
        components["securitySchemes"] = {"api_key": {"type": "http", "scheme": "bearer"}}
        schemas = components.setdefault("schemas", {})
        for kind in _KINDS:
            schemas |= kind.model_json_schema(ref_template=_REFERENCE).get("$defs", {})
        return document


def documented(kind: type[ChatRequest] | type[CompletionRequest]) -> dict[str, Any]:
    """What FastAPI adds to the description of a route that takes ``kind``."""
    schema = kind.model_json_schema(ref_template=_REFERENCE)
    schema.pop("$defs", None)
    return {
        **KEYED,
        "parameters": [
            {"in": "header", "name": name, "schema": {"type": "string"}, "description": allowed}
            for name, allowed in TAG_HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
    }
