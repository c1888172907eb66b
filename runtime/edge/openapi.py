"""The OpenAPI document: request bodies from the models that parse them, tags, and the key.

The routes take raw requests, so that only our own parser sees a body; FastAPI then knows
neither its schema nor how callers prove who they are.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from runtime.edge.response_headers import ANSWER_HEADERS
from runtime.wire.dialect import Dialect
from runtime.wire.dialect_registry import DIALECTS
from runtime.wire.tags import TAG_HEADERS
from runtime.wire.unserved_fields import DROPPED

KEYED: dict[str, Any] = {"security": [{"api_key": []}]}

_REFERENCE = "#/components/schemas/{model}"
_TEXT = {"type": "string"}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "description": "message, type, param (the field or header at fault) and code",
        }
    },
}
_READ = {
    "x-client-request-id": "what the caller calls the request (X-Request-ID is read, too)",
    "traceparent": "the caller's trace, as W3C has it",
}


class DocumentedApp(FastAPI):
    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = _completed(super().openapi())
        return self.openapi_schema


def documented(dialect: Dialect) -> dict[str, Any]:
    """What FastAPI adds to the description of a dialect's route."""
    schema = dialect.request_model.model_json_schema(ref_template=_REFERENCE)
    schema.pop("$defs", None)
    dropped = {"description": "Accepted and dropped: it cannot change the answer."}
    schema["properties"] |= dict.fromkeys(sorted(DROPPED), dropped)
    answer = {
        "description": "The answer, whole or as a stream of events",
        "headers": {
            name: {"schema": _TEXT, "description": header.meaning}
            for name, header in ANSWER_HEADERS.items()
        },
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/event-stream": {"schema": _TEXT},
        },
    }
    return {
        **KEYED,
        "parameters": [
            {"in": "header", "name": name, "schema": _TEXT, "description": allowed}
            for name, allowed in {**TAG_HEADERS, **_READ}.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"200": answer},
    }


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    components["securitySchemes"] = {"api_key": {"type": "http", "scheme": "bearer"}}
    schemas: dict[str, Any] = {}
    for dialect in DIALECTS:
        document_of = dialect.request_model.model_json_schema
        schemas |= document_of(ref_template=_REFERENCE).get("$defs", {})
    components["schemas"] = schemas | {"Error": _ERROR}
    refused = {
        "description": "A refusal, in one envelope whatever it is",
        "content": {"application/json": {"schema": {"$ref": _REFERENCE.format(model="Error")}}},
    }
    for methods in document["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("422", None)  # FastAPI's own, which nothing here answers
            operation["responses"]["default"] = refused
    return document
