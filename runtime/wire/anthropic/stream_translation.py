"""Anthropic's event stream, told anew as the frames of a chat completion.

An answer is a message of blocks: text, thinking, calls of tools. Each piece of one becomes a frame
of one choice. An event that cannot come where it does is an error, and nothing follows an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from runtime.request_limits import LIMITS, refusals
from runtime.wire.anthropic.chat_frames import ChatFrames, error_frame
from runtime.wire.anthropic.usage import AnthropicTally
from runtime.wire.anthropic.vocabulary import finish_reason
from runtime.wire.event_splitter import EventSplitter
from runtime.wire.frame_content import DONE, data_of, decoded

PING = b": ping\n\n"  # shows that the target lives

_Object = dict[str, Any]


class OutOfPlace(Exception):
    """An event that cannot be read, or that cannot come here."""


class EventTranslator:
    """Translates one stream. ``feed`` and ``end`` return frames; after an error, or the end, no
    more come."""

    __slots__ = (
        "_calls",
        "_frames",
        "_has_begun",
        "_has_finished",
        "_is_over",
        "_silent",
        "_splitter",
        "tally",
    )

    def __init__(self, asked_unix_s: int) -> None:
        self.tally = AnthropicTally()
        self._splitter = EventSplitter()
        self._frames = ChatFrames(asked_unix_s)
        self._has_begun = self._has_finished = self._is_over = False
        self._calls: dict[int, int] = {}  # that are open: their numbers, by their blocks'
        self._silent: set[int] = set()  # numbers of calls that have no arguments yet

    def feed(self, chunk: bytes) -> bytes:
        return self._told(self._splitter.feed(chunk))

    def end(self) -> bytes:
        """The target has ended its answer: if it had finished, only the last event is missing."""
        told = self._told(self._splitter.end())
        if self._has_finished and not self._is_over:
            told += self._last()
        return told

    def _told(self, events: list[bytes]) -> bytes:
        told = bytearray()
        for event in events:
            if self._is_over:
                break
            try:
                told += self._event(event)
            except OutOfPlace as error:
                told += self._failed(str(error))
            except RecursionError:
                told += self._failed("an event that is too deep")
        if not self._is_over and len(self._splitter.held) > LIMITS.frame_bytes_max:
            refusals["frame_bytes_max"] += 1
            told += self._failed("an event without an end")
        return bytes(told)

    def _failed(self, why: str) -> bytes:
        self._is_over = True
        self._splitter.held.clear()
        return error_frame({"message": why})

    def _event(self, event: bytes) -> bytes:
        data = data_of(event)
        if data is None:
            return self._no_data(event)
        told = decoded(data)
        if told is None:
            raise OutOfPlace("an event that is no JSON object")
        return b"".join(self._read(told))

    def _no_data(self, event: bytes) -> bytes:
        """A comment, or no stream at all, but a body in one piece."""
        if event.startswith(b":"):
            return event
        if self._has_begun or not event.lstrip().startswith(b"{"):
            return b""
        self._is_over = True
        told = decoded(event) or {}
        error = told.get("error")
        return error_frame(error if isinstance(error, dict) else {"message": "no event stream"})

    def _read(self, told: _Object) -> Iterator[bytes]:
        """Frames, one after the other: what was said before an error is kept."""
        match told.get("type"):
            case "ping":
                yield PING
            case "error":
                self._is_over = True
                error = told.get("error")
                yield error_frame(error if isinstance(error, dict) else {})
            case "message_start":
                yield self._start(told)
            case "content_block_start" | "content_block_delta" | "content_block_stop" as kind:
                if not self._has_begun or self._has_finished:
                    raise OutOfPlace("words outside of the message")
                index = told.get("index")
                yield self._block(kind, index if type(index) is int else 0, told)
            case "message_delta":
                yield self._finish(told)
            case "message_stop":
                yield self._last()
            case _:  # a kind that is newer than this: clients are asked to pass over those
                return

    def _start(self, told: _Object) -> bytes:
        if self._has_begun:
            raise OutOfPlace("a second message")
        message = _object(told, "message")
        self._has_begun = True
        self.tally.begin(message)
        return self._frames.begin(message)

    def _block(self, kind: str, index: int, told: _Object) -> bytes:
        if kind == "content_block_start":
            return self._block_start(index, _object(told, "content_block"))
        if kind == "content_block_stop":
            return self._filled(self._calls.pop(index, None))
        delta = _object(told, "delta")
        match delta.get("type"):
            case "text_delta":
                return self._frames.text(_text(delta, "text"))
            case "thinking_delta":
                return self._frames.thinking(_text(delta, "thinking"))
            case "input_json_delta":
                return self._arguments(index, _text(delta, "partial_json"))
            case _:  # signatures, citations
                return b""

    def _block_start(self, index: int, block: _Object) -> bytes:
        match block.get("type"):
            case "text":
                return self._frames.text(_text(block, "text"))
            case "thinking":
                return self._frames.thinking(_text(block, "thinking"))
            case "tool_use":
                return self._call(index, block)
            case _:
                return b""

    def _call(self, index: int, block: _Object) -> bytes:
        number = self._frames.calls
        if number >= LIMITS.tool_calls_max:
            refusals["tool_calls_max"] += 1
            raise OutOfPlace("too many calls")
        self._calls[index] = number
        self._silent.add(number)
        opened = self._frames.call(_text(block, "id"), _text(block, "name"))
        given = block.get("input")
        return opened + (self._arguments(index, json.dumps(given)) if given else b"")

    def _arguments(self, index: int, text: str) -> bytes:
        number = self._calls.get(index)
        if number is None:
            raise OutOfPlace("arguments of no call")
        if not text:
            return b""
        self._silent.discard(number)
        return self._frames.arguments(number, text)

    def _filled(self, number: int | None) -> bytes:
        """A call without arguments has none to give: as text that is an empty object."""
        if number is None or number not in self._silent:
            return b""
        self._silent.discard(number)
        return self._frames.arguments(number, "{}")

    def _finish(self, told: _Object) -> bytes:
        """It may come more than once; the reason is told in one of them."""
        if not self._has_begun:
            raise OutOfPlace("an end without a beginning")
        self.tally.add(told)
        reason = _object(told, "delta").get("stop_reason")
        if not isinstance(reason, str) or self._has_finished:
            return b""
        self._has_finished = True
        missing = b"".join(map(self._filled, sorted(self._silent)))
        return missing + self._frames.finish(finish_reason(reason))

    def _last(self) -> bytes:
        self._is_over = True
        usage = self.tally.usage
        told = self._frames.usage(usage) if usage is not None and self._has_begun else b""
        return told + DONE


def _object(told: _Object, name: str) -> _Object:
    value = told.get(name)
    if not isinstance(value, dict):
        raise OutOfPlace(f"an event without its {name}")
    return value


def _text(told: _Object, name: str) -> str:
    value = told.get(name, "")
    if not isinstance(value, str):
        raise OutOfPlace(f"a {name} that is no text")
    return value
