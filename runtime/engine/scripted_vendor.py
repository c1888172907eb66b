"""A vendor without a model: short answers in OpenAI's and Anthropic's form, faults on request.

For drills. It takes any key, and tells a listener of each request that reaches it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runtime.engine.scripted_answer import WORDS, ScriptedAnswer, event

ANSWER_TOKENS_MAX = 32  # whatever a request allows: what is looked at is where it went
RETRY_AFTER_S = 2

OnAsked = Callable[[str, list[str]], None]  # the model's name at the vendor, and every text


class VendorFault(StrEnum):
    SLOW = "slow"  # the first token takes its time
    RATE_LIMITED = "rate_limited"  # 429 with the seconds to wait


@dataclass(slots=True)
class ScriptedVendor:
    """Serve ``app`` with a PrivateServer. ``fault`` may be changed at any time."""

    on_asked: OnAsked
    first_token_s: float = 0.0
    slow_s: float = 3.0
    fault: VendorFault | None = None

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/messages", self._messages, methods=["POST"]),
            ]
        )

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        # OpenAI's newer name, and vendors that tell the tokens of a stream without being asked.
        tokens = body.get("max_tokens", body.get("max_completion_tokens", ANSWER_TOKENS_MAX))
        body["max_tokens"] = min(tokens, ANSWER_TOKENS_MAX)
        body["stream_options"] = {"include_usage": True}
        answer = ScriptedAnswer(body, is_chat=True)
        frames = [answer.first() + answer.token(0)]
        frames += [answer.token(number) for number in range(1, answer.tokens)]
        return await self._answered(body, answer.texts, [*frames, answer.last()], answer.whole())

    async def _messages(self, request: Request) -> Response:
        body = await request.json()
        events = list(_message_events(body["model"], min(body["max_tokens"], ANSWER_TOKENS_MAX)))
        return await self._answered(body, _message_texts(body), events, _whole_message(body))

    async def _answered(
        self, body: dict[str, Any], texts: list[str], frames: list[bytes], whole: bytes
    ) -> Response:
        self.on_asked(body["model"], texts)
        if self.fault is VendorFault.RATE_LIMITED:
            error = {"type": "rate_limit_error", "message": "Too many requests."}
            headers = {"retry-after": str(RETRY_AFTER_S)}
            told = {"type": "error", "error": error}
            return JSONResponse(told, status_code=429, headers=headers)
        wait_s = self.slow_s if self.fault is VendorFault.SLOW else self.first_token_s
        if body.get("stream"):
            return StreamingResponse(_late(frames, wait_s), media_type="text/event-stream")
        await asyncio.sleep(wait_s)
        return Response(whole, media_type="application/json")


async def _late(frames: list[bytes], wait_s: float) -> AsyncIterator[bytes]:
    await asyncio.sleep(wait_s)
    for frame in frames:
        yield frame


def _message_texts(body: dict[str, Any]) -> list[str]:
    """Every text of a request in Anthropic's form."""
    texts = []
    for message in body["messages"]:
        content = message["content"]
        blocks = content if isinstance(content, list) else [{"text": content}]
        texts += [block["text"] for block in blocks if "text" in block]
    return texts


def _message_events(model: str, tokens: int) -> Iterator[bytes]:
    message = {"id": "msg-scripted", "type": "message", "role": "assistant", "model": model}
    usage = {"input_tokens": 16, "output_tokens": 1}
    yield _named("message_start", message={**message, "content": [], "usage": usage})
    yield _named("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for number in range(tokens):
        text = {"type": "text_delta", "text": WORDS[number % len(WORDS)]}
        yield _named("content_block_delta", index=0, delta=text)
    yield _named("content_block_stop", index=0)
    end = {"stop_reason": "max_tokens", "stop_sequence": None}
    yield _named("message_delta", delta=end, usage={"output_tokens": tokens})
    yield _named("message_stop")


def _named(kind: str, **told: Any) -> bytes:
    return f"event: {kind}\n".encode() + event({"type": kind, **told})


def _whole_message(body: dict[str, Any]) -> bytes:
    tokens = min(body["max_tokens"], ANSWER_TOKENS_MAX)
    text = "".join(WORDS[number % len(WORDS)] for number in range(tokens))
    told = {
        "id": "msg-scripted",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": text}],
        "stop_reason": "max_tokens",
        "stop_sequence": None,
        "usage": {"input_tokens": 16, "output_tokens": tokens},
    }
    return json.dumps(told).encode()
