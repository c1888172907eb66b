"""What the tests of a dialect have to know of it: how its clients write, how targets answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from runtime.errors import BaseloadError
from runtime.wire.dialect import Dialect
from runtime.wire.error_envelope import ANTHROPIC_ERRORS
from runtime.wire.openai_dialect import CHAT, COMPLETION, OpenAIDialect
from tests.runtime.parts import MODEL
from tests.runtime.vendors import delta, event, message, usage
from tests.runtime.wire.bodies import CLIENT_ONLY, EVERY_FIELD, LOCAL, LOCAL_CHAT, USER


@dataclass(frozen=True)
class Sample:
    """``body`` is the least that is served, ``full`` has every field that a target may be sent.

    ``begin``, ``end`` and ``last_frame`` are of a good stream: up to its first words, from there
    to its finish, and what the client's API has for its end. ``answer`` is the same in one piece.
    ``text`` is what it says.
    """

    dialect: Dialect
    headers: Callable[[str], dict[str, str]]  # with a key
    path: str  # that its targets are asked, below their base URL
    body: dict[str, Any]
    full: dict[str, Any]
    dropped: str  # a field that cannot change the answer
    begin: bytes
    end: bytes
    last_frame: bytes
    answer: dict[str, Any]
    text: str


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def _text(content: str, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "text": content, "logprobs": None, "finish_reason": finish}
    return {"id": "c-1", "object": "text_completion", "choices": [choice]}


_NOT_OF_COMPLETIONS = (
    "logprobs",
    "top_logprobs",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning_effort",
    "max_completion_tokens",
)
_SERVED: dict[str, Any] = {"model": MODEL, "max_tokens": 5}

SAMPLES = [
    Sample(
        dialect=CHAT,
        headers=_bearer,
        path="/chat/completions",
        body={**_SERVED, "messages": USER},
        full={"model": "m", "messages": USER, **EVERY_FIELD, **CLIENT_ONLY, **LOCAL_CHAT},
        dropped="user",
        begin=event(delta(delta={"role": "assistant", "content": ""})) + event(delta(" river")),
        end=event(delta(" ran")) + event(delta("", "stop")),
        last_frame=b"data: [DONE]\n\n",
        answer={**message(" river ran"), "usage": usage(8, 2)["usage"]},
        text=" river ran",
    ),
    Sample(
        dialect=COMPLETION,
        headers=_bearer,
        path="/completions",
        body={**_SERVED, "prompt": "hi"},
        full={
            "model": "m",
            "prompt": ["hi", "you"],
            "echo": True,
            "logprobs": 2,
            **{name: EVERY_FIELD[name] for name in EVERY_FIELD if name not in _NOT_OF_COMPLETIONS},
            **CLIENT_ONLY,
            **LOCAL,
        },
        dropped="user",
        begin=event(_text(" river")),
        end=event(_text(" ran")) + event(_text("", "stop")),
        last_frame=b"data: [DONE]\n\n",
        answer={**_text(" river ran", "stop"), "usage": usage(8, 2)["usage"]},
        text=" river ran",
    ),
]


@dataclass(frozen=True, slots=True)
class _Elsewhere(OpenAIDialect):
    """A chat that is asked, refused and broken off in other ways: who reads one of these from
    OpenAI instead of the job's dialect is found out."""

    def api_key(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("x-key")

    def error_frame(self, error: BaseloadError, tokens_billed: int) -> bytes:
        return f"event: failed\ndata: {error.message} ({tokens_billed})\n\n".encode()


ELSEWHERE = replace(
    SAMPLES[0],
    dialect=_Elsewhere(
        route="/elsewhere/ask",
        target_path="/asked",
        summary="For tests",
        request_model=CHAT.request_model,
        parse_body=CHAT.parse_body,
        error_form=ANTHROPIC_ERRORS,
    ),
    headers=lambda key: {"x-key": key},
    path="/asked",
)
