"""An answer of Anthropic's in one piece, told anew as a chat completion."""

from __future__ import annotations

import json
from typing import Any

from runtime.wire.anthropic.chat_frames import error_told, usage_told
from runtime.wire.anthropic.usage import AnthropicTally
from runtime.wire.anthropic.vocabulary import finish_reason
from runtime.wire.unstreamed_answer import is_error


def chat_answer(body: bytes, asked_unix_s: int) -> bytes:
    """The body of a chat completion. What cannot be read stays as it is: it is none."""
    try:
        told = json.loads(body)
        if not isinstance(told, dict):
            return body
        return json.dumps(_translated(told, asked_unix_s)).encode()
    except (ValueError, RecursionError):
        return body


def _translated(told: dict[str, Any], asked_unix_s: int) -> dict[str, Any]:
    if is_error(told):
        error = told.get("error")
        return error_told(error if isinstance(error, dict) else {})
    reason = told.get("stop_reason")
    answer: dict[str, Any] = {
        "id": str(told.get("id", "")),
        "object": "chat.completion",
        "created": asked_unix_s,
        "model": str(told.get("model", "")),
        "choices": [],
    }
    if isinstance(told.get("content"), list) and isinstance(reason, str):
        message = _message([each for each in told["content"] if isinstance(each, dict)])
        choice = {"index": 0, "message": message, "logprobs": None}
        answer["choices"] = [{**choice, "finish_reason": finish_reason(reason)}]
    tally = AnthropicTally()
    tally.add(told)
    if tally.usage is not None:
        answer["usage"] = usage_told(tally.usage)
    return answer


def _message(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    calls = [_call(block) for block in blocks if block.get("type") == "tool_use"]
    text, thinking = _texts(blocks, "text"), _texts(blocks, "thinking")
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else "")}
    if thinking:
        message["reasoning_content"] = thinking
    if calls:
        message["tool_calls"] = calls
    return message


def _texts(blocks: list[dict[str, Any]], kind: str) -> str:
    told = (block.get(kind) for block in blocks if block.get("type") == kind)
    return "".join(text for text in told if isinstance(text, str))


def _call(block: dict[str, Any]) -> dict[str, Any]:
    arguments = json.dumps(block.get("input") or {}, ensure_ascii=False)
    function = {"name": str(block.get("name", "")), "arguments": arguments}
    return {"id": str(block.get("id", "")), "type": "function", "function": function}
