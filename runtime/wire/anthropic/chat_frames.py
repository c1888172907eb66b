"""The frames of a chat completion's stream, as OpenAI's clients read them."""

from __future__ import annotations

import json
from typing import Any

from runtime.wire.anthropic.vocabulary import ERROR_STATUSES
from runtime.wire.reported_usage import Usage


class ChatFrames:
    """The frames of one answer with one choice."""

    __slots__ = ("_created", "_id", "_model", "calls")

    def __init__(self, created_unix_s: int) -> None:
        self._created = created_unix_s
        self._id = self._model = ""
        self.calls = 0  # of tools, so far

    def begin(self, message: dict[str, Any]) -> bytes:
        """The first frame; the others repeat the answer's id and its model."""
        self._id, self._model = str(message.get("id", "")), str(message.get("model", ""))
        return self._delta({"role": "assistant", "content": ""})

    def text(self, text: str) -> bytes:
        return self._delta({"content": text}) if text else b""

    def thinking(self, text: str) -> bytes:
        return self._delta({"reasoning_content": text}) if text else b""

    def call(self, call_id: str, name: str) -> bytes:
        """A call of a tool begins, its arguments are to come."""
        function = {"name": name, "arguments": ""}
        call = {"index": self.calls, "id": call_id, "type": "function", "function": function}
        self.calls += 1
        return self._delta({"tool_calls": [call]})

    def arguments(self, number: int, text: str) -> bytes:
        """A piece of the arguments of the call with this number, from 0."""
        return self._delta({"tool_calls": [{"index": number, "function": {"arguments": text}}]})

    def finish(self, reason: str) -> bytes:
        return self._delta({}, reason)

    def usage(self, usage: Usage) -> bytes:
        """The frame that tells what the whole answer used."""
        return self._frame([], usage=usage_told(usage))

    def _delta(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._frame([choice])

    def _frame(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        told = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": choices,
            **more,
        }
        return _event(told)


def usage_told(usage: Usage) -> dict[str, Any]:
    """A usage object as OpenAI has it: what came from a cache is a part of the prompt."""
    prompt, output = usage.prompt_tokens or 0, usage.completion_tokens or 0
    told: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
    }
    if usage.cached_tokens is not None:
        told["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    return told


def error_told(error: dict[str, Any]) -> dict[str, Any]:
    """An error as one would be told under a status of 200, with the status that it should have."""
    kind = error.get("type")
    status = ERROR_STATUSES.get(kind) if isinstance(kind, str) else None
    told = {"message": str(error.get("message", "")), "type": kind, "details": error.get("details")}
    return {"error": told if status is None else {**told, "status": status}}


def error_frame(error: dict[str, Any]) -> bytes:
    return _event(error_told(error))


def _event(told: dict[str, Any]) -> bytes:
    """ASCII, so that half a character that a target has cut off is no fault of the frame's."""
    return b"data: %b\n\n" % json.dumps(told, separators=(",", ":")).encode()
