"""What a client reads of a translated stream."""

from __future__ import annotations

import json
from typing import Any

from openai.types.chat import ChatCompletionChunk

from runtime.wire.anthropic.anthropic_upstream import TranslatedScanner
from runtime.wire.anthropic.stream_translation import EventTranslator
from tests.runtime.wire.anthropic import answers as an

ASKED_S = 1_700_000_000


def new_scanner(*, wants_usage: bool = False) -> TranslatedScanner:
    return TranslatedScanner(EventTranslator(ASKED_S), wants_usage=wants_usage)


def passed_on(
    scanner: TranslatedScanner, events: list[dict[str, Any]], size: int = 10**6
) -> list[dict[str, Any]]:
    """The frames that a client gets, the held back end included."""
    raw = b"".join(map(an.event, events))
    passed = b"".join(scanner.feed(raw[at : at + size]) for at in range(0, len(raw), size))
    passed += scanner.end() + scanner.tail
    return frames_of(passed)


def frames_of(passed: bytes) -> list[dict[str, Any]]:
    lines = [line for line in passed.split(b"\n\n") if line and not line.startswith(b":")]
    assert all(line.startswith(b"data: ") for line in lines)
    told = [json.loads(line[6:]) for line in lines if line != b"data: [DONE]"]
    for each in told:
        ChatCompletionChunk.model_validate(each)
    return told


def said(frames: list[dict[str, Any]], name: str) -> str:
    deltas = [choice["delta"] for frame in frames for choice in frame["choices"]]
    return "".join(delta.get(name) or "" for delta in deltas)


def reasons(frames: list[dict[str, Any]]) -> list[str]:
    choices = [choice for frame in frames for choice in frame["choices"]]
    return [each["finish_reason"] for each in choices if each["finish_reason"]]


def calls_of(frames: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    made: dict[int, dict[str, Any]] = {}
    for frame in frames:
        for choice in frame["choices"]:
            for part in choice["delta"].get("tool_calls", ()):
                call = made.setdefault(part["index"], {"arguments": ""})
                call |= {name: part[name] for name in ("id", "type") if name in part}
                call |= {"name": part["function"]["name"]} if "name" in part["function"] else {}
                call["arguments"] += part["function"]["arguments"]
    return made
