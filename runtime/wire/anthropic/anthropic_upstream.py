"""Targets that speak Anthropic's Messages API, asked by callers who speak OpenAI's."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from runtime.wire.anthropic.answer_translation import chat_answer
from runtime.wire.anthropic.request_translation import messages_request
from runtime.wire.anthropic.stream_translation import EventTranslator
from runtime.wire.anthropic.untranslatable import NotTaken
from runtime.wire.dialect import UpstreamCall
from runtime.wire.reported_usage import Usage
from runtime.wire.sse import FrameScanner

PATH = "/messages"


class AnthropicWire:
    """This ``UpstreamWire`` speaks Anthropic's Messages API."""

    def refused_field(self, chat: dict[str, Any]) -> str | None:
        try:
            messages_request(chat)
        except NotTaken as error:
            return error.field
        return None

    def call(self, chat: dict[str, Any]) -> UpstreamCall:
        return UpstreamCall(PATH, to_json(messages_request(chat)))

    def scanner(self, *, wants_usage: bool, asked_unix_s: int) -> FrameScanner:
        return TranslatedScanner(EventTranslator(asked_unix_s), wants_usage=wants_usage)

    def chat_answer(self, body: bytes, asked_unix_s: int) -> bytes:
        return chat_answer(body, asked_unix_s)


class TranslatedScanner(FrameScanner):
    """Reads the frames that a translator makes of the events. What is billed is what these said."""

    __slots__ = ("_translator",)

    def __init__(self, translator: EventTranslator, *, wants_usage: bool) -> None:
        super().__init__(wants_usage=wants_usage)
        self._translator = translator

    @property
    def usage(self) -> Usage | None:
        return self._translator.tally.usage

    def feed(self, chunk: bytes) -> bytes:
        return super().feed(self._translator.feed(chunk))

    def end(self) -> bytes:
        return super().feed(self._translator.end()) + super().end()

    def plain_frames(self, chunk: bytes) -> int:
        """There are none: nothing passes as it came."""
        return 0
