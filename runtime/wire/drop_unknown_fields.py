"""Takes out of a request what its models do not declare, before they see it.

One walk over the places where clients add names of their own: the top level, messages, their
parts and calls, tools. It works on the decoded document in place; see ``unserved_fields`` for what
is dropped and what is refused.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

from runtime.errors import BadRequest, UnknownField
from runtime.message_text import shown
from runtime.request_limits import LIMITS, refusals
from runtime.wire.chat_messages import CalledFunction, Message, TextPart, ToolCall
from runtime.wire.tools import FunctionSpec, Tool
from runtime.wire.unserved_fields import (
    DROPPED,
    DROPPED_IF,
    DROPPED_PARTS,
    REFUSED,
    REFUSED_EMPTY,
    REFUSED_IN_MESSAGE,
    TEXT_PARTS,
)

_MESSAGE = frozenset(Message.model_fields)
_PART = frozenset(TextPart.model_fields)
_CALL = frozenset(ToolCall.model_fields)
_CALLED = frozenset(CalledFunction.model_fields)
_TOOL = frozenset(Tool.model_fields)
_FUNCTION = frozenset(FunctionSpec.model_fields)
_ALIKE = 0.8  # of 1: from there on a name is taken for another one misspelt
_UNSHOWN = re.compile(r"[^A-Za-z0-9_.-]")

_Object = dict[str, Any]


def tidy(document: _Object, known: frozenset[str]) -> tuple[str, ...]:
    """The names of what was dropped; UnknownField for what has to be refused.

    ``known`` are the fields of the request's model.
    """
    dropped = Dropped()
    if not known.issuperset(document):
        _tidy_top(document, known, dropped)
    if not document.get("stream") and document.pop("stream_options", None):
        dropped.add("stream_options")
    messages = document.get("messages")
    if type(messages) is list:
        for index, message in enumerate(messages):
            if type(message) is dict:
                _tidy_message(message, index, dropped)
    tools = document.get("tools")
    if type(tools) is list:
        for tool in tools:
            _tidy_tool(tool, dropped)
    return tuple(dropped.names)


class Dropped:
    """The names of what was dropped, each once, and only so many."""

    __slots__ = ("names",)

    def __init__(self) -> None:
        self.names: dict[str, None] = {}

    def add(self, name: str) -> None:
        if len(self.names) < LIMITS.ignored_max:
            self.names[_UNSHOWN.sub("?", name[: LIMITS.shown_chars_max])] = None

    def keep(self, document: _Object, known: frozenset[str], where: str) -> None:
        """Leaves only what is known. An SDK's empty fields say nothing, and are not named."""
        for name in document.keys() - known:
            if document.pop(name):
                self.add(f"{where}.{name}")


def _tidy_top(document: _Object, known: frozenset[str], dropped: Dropped) -> None:
    unknown = [name for name in document if name not in known]
    if len(unknown) > LIMITS.unknown_fields_max:
        refusals["unknown_fields_max"] += 1
        raise BadRequest(f"The body has more than {LIMITS.unknown_fields_max} unknown fields.")
    for name in unknown:
        value = document.pop(name)
        if value is None:
            continue
        if name not in DROPPED and (name not in DROPPED_IF or value != DROPPED_IF[name]):
            _refuse_top(name, value, known)
        dropped.add(name)


def _refuse_top(name: str, value: Any, known: frozenset[str]) -> None:
    """Returns where the value is empty, so that the field was not meant."""
    if name in REFUSED:
        if value or name in REFUSED_EMPTY:
            raise not_served(name, REFUSED[name])
        return
    alike = get_close_matches(name, known, 1, _ALIKE) if len(name) < LIMITS.shown_chars_max else ()
    if alike:
        says = f"There is no field `{shown(name)}` here: did you mean `{alike[0]}`?"
        raise UnknownField(says, param=shown(name))
    if value:
        raise UnknownField(f"There is no field `{shown(name)}` here.", param=shown(name))


def not_served(name: str, hint: str) -> UnknownField:
    return UnknownField(f"`{name}` is not served: {hint}.", param=name)


def _tidy_message(message: _Object, index: int, dropped: Dropped) -> None:
    if not _MESSAGE.issuperset(message):
        if message.get("content") is None and type(message.get("refusal")) is str:
            message["content"] = message.pop("refusal")  # what it said instead of an answer
        for name in message.keys() & REFUSED_IN_MESSAGE:
            if message[name]:
                raise not_served(f"messages[{index}].{name}", REFUSED_IN_MESSAGE[name])
        dropped.keep(message, _MESSAGE, "messages")
    content = message.get("content")
    if type(content) is list:
        message["content"] = _tidy_parts(content, dropped) or ""
    calls = message.get("tool_calls")
    if type(calls) is list:
        for call in calls:
            _tidy_call(call, dropped)


def _tidy_parts(parts: list[Any], dropped: Dropped) -> list[Any]:
    """The parts as text parts where that is what they are; others are the model's to refuse."""
    kept: list[Any] = []
    for part in parts:
        if type(part) is str:
            kept.append({"type": "text", "text": part})
            continue
        kind = part.get("type") if type(part) is dict else None
        if type(kind) is str and kind in DROPPED_PARTS:
            dropped.add("messages.content." + kind)
            continue
        if type(kind) is str and kind in TEXT_PARTS:
            if kind != "text":
                part["type"], part["text"] = "text", part.pop(TEXT_PARTS[kind], None)
            if not _PART.issuperset(part):
                dropped.keep(part, _PART, "messages.content")
        kept.append(part)
    return kept


def _tidy_call(call: Any, dropped: Dropped) -> None:
    if type(call) is not dict:
        return
    if not _CALL.issuperset(call):
        dropped.keep(call, _CALL, "messages.tool_calls")
    called = call.get("function")
    if type(called) is dict and not _CALLED.issuperset(called):
        dropped.keep(called, _CALLED, "messages.tool_calls.function")


def _tidy_tool(tool: Any, dropped: Dropped) -> None:
    if type(tool) is not dict:
        return
    function = tool.get("function")
    if type(function) is dict:
        if not _FUNCTION.issuperset(function):
            dropped.keep(function, _FUNCTION, "tools.function")
        if not _TOOL.issuperset(tool):
            dropped.keep(tool, _TOOL, "tools")
