"""vLLM's own OpenAI serving classes, behind the routes of the private app.

They render chat templates, parse tools and reasoning, and write the frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from runtime.engine.engine_settings import EngineFacts
from runtime.engine.load_meter import LoadMeter
from runtime.engine.private_app import DETOKENIZE_PATH, TOKENIZE_PATH, Handler, PrivateApp
from runtime.engine.vllm_adapter.caller_faults import blame_the_form, note_form


async def private_app(
    llm: Any, args: Any, facts: EngineFacts, meters: Sequence[LoadMeter], token: str
) -> PrivateApp:
    """The app of an engine that has started; ``args`` are what vLLM has parsed."""
    from vllm.entrypoints.launchers.api_server.app_state import init_app_state
    from vllm.entrypoints.openai.chat_completion.api_router import create_chat_completion
    from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
    from vllm.entrypoints.openai.completion.api_router import create_completion
    from vllm.entrypoints.openai.completion.protocol import CompletionRequest
    from vllm.exceptions import VLLMError, VLLMValidationError

    async def chat(request: Request) -> Response:
        parsed = ChatCompletionRequest.model_validate_json(await request.body())
        note_form(parsed)
        return _answer(await create_chat_completion(parsed, request))

    async def complete(request: Request) -> Response:
        parsed = CompletionRequest.model_validate_json(await request.body())
        note_form(parsed)
        return _answer(await create_completion(parsed, request))

    known = (VLLMError, ValueError, TypeError, OverflowError, NotImplementedError)
    errors = dict.fromkeys(known, _on_error)
    app = PrivateApp(facts, meters, token, chat, complete, errors, _token_routes())
    await init_app_state(llm, app.state, args, await llm.get_supported_tasks())
    blame_the_form(app.state.openai_serving_chat, VLLMValidationError)
    blame_the_form(app.state.openai_serving_completion, VLLMValidationError)
    return app


def _token_routes() -> dict[str, Handler]:
    from vllm.entrypoints.serve.tokenize.api_router import detokenize, tokenize
    from vllm.entrypoints.serve.tokenize.protocol import (
        DetokenizeRequest,
        TokenizeChatRequest,
        TokenizeCompletionRequest,
    )

    async def to_tokens(request: Request) -> Response:
        body = await request.json()
        kind = TokenizeChatRequest if "messages" in body else TokenizeCompletionRequest
        return _answer(await tokenize(kind.model_validate(body), request))

    async def to_text(request: Request) -> Response:
        parsed = DetokenizeRequest.model_validate_json(await request.body())
        return _answer(await detokenize(parsed, request))

    return {TOKENIZE_PATH: to_tokens, DETOKENIZE_PATH: to_text}


async def _on_error(request: Request, error: Exception) -> Response:
    from vllm.entrypoints.serve.exception_handling.error_response import create_error_response

    if isinstance(error, ValidationError):
        error = ValueError("; ".join(item["msg"] for item in error.errors()[:3]))
    answer = create_error_response(error)
    return JSONResponse(answer.model_dump(), status_code=answer.error.code)


def _answer(response: Response | None) -> Response:
    return response if response is not None else Response(status_code=499)  # the client has left
