"""The messages of a chat as the turns of a conversation with Anthropic's models.

A turn is of the user or of the assistant and has blocks: text, calls of tools, their results.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from runtime.wire.anthropic.untranslatable import NotTaken

NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")  # of a tool
_FOREIGN = re.compile(r"[^A-Za-z0-9_-]")  # what an id may not have there

_Block = dict[str, Any]


def blocks_of(content: str | list[dict[str, Any]] | None) -> list[_Block]:
    """The text as blocks. Blank ones are refused there, and say nothing."""
    texts = [content] if isinstance(content, str) else [part["text"] for part in content or ()]
    return [{"type": "text", "text": text} for text in texts if text.strip()]


class Turns:
    """Collects messages in their order; two of one side become one turn, as they would there."""

    def __init__(self) -> None:
        self._turns: list[dict[str, Any]] = []
        self._ids: dict[str, str] = {}
        self._used: set[str] = set()
        self._has_calls = False

    def add(self, message: dict[str, Any]) -> None:
        """Raises NotTaken for what a turn cannot be made of."""
        role = message["role"]
        if role == "system":
            raise NotTaken("messages.role")
        if "name" in message:
            raise NotTaken("messages.name")
        blocks = blocks_of(message.get("content"))
        if role == "tool":
            self._has_calls = True
            told: _Block = {"type": "tool_result", "tool_use_id": self._id(message["tool_call_id"])}
            blocks, role = [{**told, "content": blocks} if blocks else told], "user"
        elif role == "user" and not blocks:
            raise NotTaken("messages.content")
        blocks += self._calls(message)
        if not blocks:  # an assistant that has said nothing
            return
        if self._turns and self._turns[-1]["role"] == role:
            self._turns[-1]["content"] += blocks
        else:
            self._turns.append({"role": role, "content": blocks})

    def ended(self, *, has_tools: bool) -> list[dict[str, Any]]:
        """Ends and returns all turns: the user has the first word and the last."""
        if not self._turns or any(self._turns[at]["role"] != "user" for at in (0, -1)):
            raise NotTaken("messages")
        if self._has_calls and not has_tools:
            raise NotTaken("tools")
        return self._turns

    def _calls(self, message: dict[str, Any]) -> Iterator[_Block]:
        for call in message.get("tool_calls") or ():
            self._has_calls = True
            name, arguments = call["function"]["name"], _arguments(call["function"]["arguments"])
            if not NAME.fullmatch(name):
                raise NotTaken("messages.tool_calls.function.name")
            yield {"type": "tool_use", "id": self._id(call["id"]), "name": name, "input": arguments}

    def _id(self, told: str) -> str:
        """An id only ties a call to its result: one that may not be there gets another."""
        if (known := self._ids.get(told)) is None:
            known = _FOREIGN.sub("_", told)
            while known in self._used:
                known += "_"
            self._used.add(known)
            self._ids[told] = known
        return known


def _arguments(told: str) -> dict[str, Any]:
    """Of a call: text in a chat, an object here."""
    try:
        arguments = json.loads(told or "{}", parse_constant=_refuse)
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise NotTaken("messages.tool_calls.function.arguments")
    return arguments


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
