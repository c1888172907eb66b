"""OpenAI's two generation APIs, as vLLM and most vendors serve them.

They differ in how a prompt is written, and in where an answer's words stand; all readers here
know both places. Where their targets speak the same, bytes pass through untouched; where not, a
wire translates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from runtime.errors import BaseloadError
from runtime.wire.api_key import bearer_key
from runtime.wire.chat_request_fields import ChatRequest
from runtime.wire.completion_request_fields import CompletionRequest
from runtime.wire.continuation import Begun, Kept
from runtime.wire.dialect import RestOfAnswer, UpstreamCall, UpstreamModel
from runtime.wire.error_envelope import OPENAI_ERRORS, ErrorForm, openai_error_frame
from runtime.wire.model_request import ModelRequest
from runtime.wire.parse_request import parse_chat, parse_completion, to_upstream, upstream_fields
from runtime.wire.rest_of_answer import Rest, kept_ids
from runtime.wire.sse import FrameScanner
from runtime.wire.unstreamed_answer import OpenAIAnswer
from runtime.wire.upstream_wire import wire_of


@dataclass(frozen=True, slots=True)
class OpenAIDialect:
    """``target_path`` is the API's path below a target's base URL."""

    route: str
    target_path: str
    summary: str
    request_model: type[BaseModel]
    parse_body: Callable[[bytes], ModelRequest]
    error_form: ErrorForm = OPENAI_ERRORS

    def api_key(self, headers: Mapping[str, str]) -> str | None:
        return bearer_key(headers)

    def parse(self, body: bytes) -> ModelRequest:
        return self.parse_body(body)

    def refused_field(self, request: ModelRequest, upstream: UpstreamModel) -> str | None:
        refused = request.refused_field(upstream.terms)
        wire = wire_of(upstream.terms)
        if wire is None or refused is not None:
            return refused
        return wire.refused_field(upstream_fields(request, upstream))

    def upstream_call(self, request: ModelRequest, upstream: UpstreamModel) -> UpstreamCall:
        if (wire := wire_of(upstream.terms)) is not None:
            return wire.call(upstream_fields(request, upstream))
        return UpstreamCall(self.target_path, to_upstream(request, upstream))

    def scanner(self, request: ModelRequest, upstream: UpstreamModel) -> FrameScanner:
        if (wire := wire_of(upstream.terms)) is not None:
            return wire.scanner(wants_usage=request.wants_usage, asked_unix_s=upstream.asked_unix_s)
        return FrameScanner(wants_usage=request.wants_usage, choices=request.choices)

    def kept(self, request: ModelRequest) -> Kept | None:
        return kept_ids(request)

    def rest(self, request: ModelRequest, begun: Begun) -> RestOfAnswer:
        return Rest(request, begun)

    def whole_answer(
        self, request: ModelRequest, upstream: UpstreamModel, body: bytes
    ) -> OpenAIAnswer:
        if (wire := wire_of(upstream.terms)) is not None:
            body = wire.chat_answer(body, upstream.asked_unix_s)
        return OpenAIAnswer(body, request.choices)

    def error_frame(self, error: BaseloadError, tokens_billed: int) -> bytes:
        return openai_error_frame(error, tokens_billed)


CHAT = OpenAIDialect(
    route="/v1/chat/completions",
    target_path="/chat/completions",
    summary="Chat completions as OpenAI has them, streamed or whole",
    request_model=ChatRequest,
    parse_body=parse_chat,
)
COMPLETION = OpenAIDialect(
    route="/v1/completions",
    target_path="/completions",
    summary="Completions as OpenAI has them, streamed or whole",
    request_model=CompletionRequest,
    parse_body=parse_completion,
)
