"""Parse, never forward: a request body becomes typed fields, and only those are sent on.

``parse_chat`` and ``parse_completion`` raise BaseloadError leaves and nothing else.
``to_upstream`` writes a new body; a field that is not declared cannot reach a target.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import to_json

from runtime.wire.chat_request_fields import ChatRequest
from runtime.wire.completion_request_fields import CompletionRequest
from runtime.wire.dialect import UpstreamModel
from runtime.wire.drop_unknown_fields import tidy
from runtime.wire.json_body import decode
from runtime.wire.model_request import ModelRequest
from runtime.wire.validation_error import to_error
from runtime.wire.vendor_fields import fit_vendor

__all__ = [
    "ChatRequest",
    "CompletionRequest",
    "parse_chat",
    "parse_completion",
    "to_upstream",
    "upstream_fields",
]

_Request = TypeVar("_Request", ChatRequest, CompletionRequest)

_CHAT = frozenset(ChatRequest.model_fields)
_COMPLETION = frozenset(CompletionRequest.model_fields)


def parse_chat(body: bytes) -> ChatRequest:
    return _parse(ChatRequest, body, _CHAT)


def parse_completion(body: bytes) -> CompletionRequest:
    return _parse(CompletionRequest, body, _COMPLETION)


def to_upstream(request: ModelRequest, upstream: UpstreamModel) -> bytes:
    """The body for a target."""
    return to_json(upstream_fields(request, upstream))


def upstream_fields(request: ModelRequest, upstream: UpstreamModel) -> dict[str, Any]:
    """What is in the body for a target.

    Usage is always asked of a stream: the bill needs it, whether or not the client wants it.
    """
    is_vendor = upstream.is_vendor
    fields = request.upstream_fields(openai_only=is_vendor, terms=upstream.terms)
    fields["model"] = upstream.name
    if is_vendor:
        asked = request.answer_tokens_max
        most = upstream.answer_tokens_max if asked is None else asked
        if most is not None:
            fields.setdefault("max_tokens", most)
    if request.streaming:
        options: dict[str, Any] = {"include_usage": True}
        if request.wants_usage_often and not is_vendor:
            options["continuous_usage_stats"] = True
        fields["stream_options"] = options
    if upstream.tells_token_ids:
        fields["return_token_ids"] = True
    if upstream.terms is not None:
        fit_vendor(fields, upstream.terms)
    return fields


def _parse(kind: type[_Request], body: bytes, known: frozenset[str]) -> _Request:
    document = decode(body)
    dropped = tidy(document, known)
    try:
        request = kind.model_validate(document)
    except ValidationError as failed:
        raise to_error(failed, document) from None
    if dropped:
        request.ignore(dropped)
    return request
