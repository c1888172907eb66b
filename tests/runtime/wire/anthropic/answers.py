"""What Anthropic's API says, written as its documentation has it."""

from __future__ import annotations

import json
from typing import Any

MODEL = "claude-sonnet-4-6"


def event(told: dict[str, Any]) -> bytes:
    return f"event: {told['type']}\ndata: {json.dumps(told)}\n\n".encode()


def start(**usage: Any) -> dict[str, Any]:
    told = {"input_tokens": 8, "output_tokens": 1, **usage}
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": told,
    }
    return {"type": "message_start", "message": message}


def block_start(index: int = 0, **block: Any) -> dict[str, Any]:
    told = block or {"type": "text", "text": ""}
    return {"type": "content_block_start", "index": index, "content_block": told}


def block_delta(index: int = 0, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def text(words: str, index: int = 0) -> dict[str, Any]:
    return block_delta(index, type="text_delta", text=words)


def thought(words: str, index: int = 0) -> dict[str, Any]:
    return block_delta(index, type="thinking_delta", thinking=words)


def arguments(part: str, index: int = 0) -> dict[str, Any]:
    return block_delta(index, type="input_json_delta", partial_json=part)


def block_stop(index: int = 0) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def finish(reason: str | None = "end_turn", **usage: Any) -> dict[str, Any]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 2, **usage}}


def failed(kind: str = "overloaded_error", **more: Any) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": "Overloaded", **more}}


PING = {"type": "ping"}
STOP = {"type": "message_stop"}
RIVER = [start(), block_start(), PING, text(" river"), text(" ran"), block_stop(), finish(), STOP]
TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {}}


def message(*content: dict[str, Any], reason: str | None = "end_turn", **more: Any) -> bytes:
    """A whole answer."""
    told = {
        **start()["message"],
        "content": list(content) or [{"type": "text", "text": " river ran"}],
        "stop_reason": reason,
        "usage": {"input_tokens": 8, "output_tokens": 2},
        **more,
    }
    return json.dumps(told).encode()
