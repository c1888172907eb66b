"""The messages of a chat, each field bounded. Text only: no URL in a request is ever fetched.

A message that a client was answered with can be sent back as it is; what its SDK has added to it
is dropped before (``wire_tidy``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from runtime.request_limits import LIMITS
from runtime.wire.field_types import FunctionName, Id, Name, Strict, Text, broken

_FOREIGN = re.compile(r"[\s<|\\/>]")  # what vendors refuse in the name of a message

_HALF = re.compile(r"\\u[dD][89abAB]|\\u[dD][c-fC-F]")  # half a character, in JSON


def _is_text(document: str) -> bool:
    """Whether the texts in a document are text; one that is no JSON has none."""
    try:
        json.dumps(json.loads(document), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    except (ValueError, RecursionError):
        return True
    return True


class TextPart(Strict):
    type: Literal["text"]
    text: Text


class CalledFunction(Strict):
    name: FunctionName
    arguments: Text


class ToolCall(Strict):
    id: Id
    type: Literal["function"] = "function"
    function: CalledFunction


class Message(Strict):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: (
        Text
        | Annotated[
            list[TextPart],
            Field(fail_fast=True, min_length=1, max_length=LIMITS.content_parts_max),
        ]
        | None
    ) = None
    name: Name | None = None
    tool_call_id: Id | None = None
    tool_calls: (
        Annotated[list[ToolCall], Field(fail_fast=True, max_length=LIMITS.tool_calls_max)] | None
    ) = None
    reasoning: Text | None = None
    reasoning_content: Text | None = None

    def texts(self) -> Iterator[str]:
        if isinstance(self.content, str):
            yield self.content
        else:
            for part in self.content or ():
                yield part.text
        for call in self.tool_calls or ():
            yield call.function.name
            yield call.function.arguments
        for extra in (self.name, self.reasoning, self.reasoning_content):
            if extra:
                yield extra

    def ids(self) -> Iterator[str]:
        """Its caller's own, which reach a target beside the prompt."""
        if self.tool_call_id is not None:
            yield self.tool_call_id
        for call in self.tool_calls or ():
            yield call.id

    def check(self, index: int) -> None:
        """The rules over several of its fields."""
        at = ("messages", index)
        for number, call in enumerate(self.tool_calls or ()):
            if _HALF.search(call.function.arguments) and not _is_text(call.function.arguments):
                where = (*at, "tool_calls", number, "function", "arguments")
                raise broken(where, "must be text without lone surrogates")
        if self.tool_calls and self.role != "assistant":
            raise broken((*at, "tool_calls"), "may be sent only by the assistant")
        if self.role == "tool":
            if self.tool_call_id is None:
                says = "is required: the id of the call that this message answers"
                raise broken((*at, "tool_call_id"), says)
        elif self.tool_call_id is not None:
            raise broken((*at, "tool_call_id"), "may be sent only with the role 'tool'")
        if self.content is None and not self._may_be_silent():
            raise broken((*at, "content"), "is required")

    def _may_be_silent(self) -> bool:
        """An assistant that only called, or that was cut off before it said anything."""
        if self.role != "assistant":
            return False
        thought = self.reasoning is not None or self.reasoning_content is not None
        return bool(self.tool_calls) or thought or "content" in self.model_fields_set


def for_target(message: dict[str, Any], *, openai_only: bool) -> None:
    """Brings a message into the form that targets read alike.

    ``developer`` is ``system`` under a newer name, and templates that do not know it drop the
    message. An assistant that neither says nor calls anything has said an empty text.
    """
    if message["role"] == "developer":
        message["role"] = "system"
    if not message.get("tool_calls"):
        message.pop("tool_calls", None)
        message.setdefault("content", "")
    if "name" in message:
        if openai_only:
            message["name"] = _FOREIGN.sub("_", message["name"])[:64]
        if not message["name"]:
            del message["name"]
