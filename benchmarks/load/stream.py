"""Reads the events of one answer: when tokens came, and what the server says it used.

A token event is a choice with text. An empty text counts as well where it neither opens nor ends
the answer: a token whose bytes are not yet a character.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import StreamReader

from models.money import NanoUsd, nano_usd

EVENT_BYTES_MAX = 1 << 20
GAPS_MAX = 1 << 18  # of one answer; further ones are counted only
DATA = b"data:"
DONE = b"[DONE]"
COST = b": baseload-cost-usd "  # a comment, which other clients skip; Baseload sends it when asked
TEXTS = ("content", "reasoning_content", "reasoning", "tool_calls")
MESSAGE_CHARS_MAX = 200


@dataclass(slots=True)
class Counters:
    """What is counted over all answers of a run: the events that their streams count, and reads."""

    events: int = 0
    reads: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int
    output_tokens: int
    cached_tokens: int | None  # None: the server does not tell


class Stream:
    """``failure`` says why the answer cannot be used; None as long as it can."""

    def __init__(self) -> None:
        self.events = 0
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.gaps_ms = array("f")
        self.gaps_lost = 0
        self.usage: Usage | None = None
        self.is_done = False
        self.failure: str | None = None
        self.target: str | None = None
        self.cost_nano_usd: NanoUsd | None = None
        self._rest = b""

    async def read(
        self, content: StreamReader, counters: Counters, now_s: Callable[[], float]
    ) -> None:
        """Reads until the answer ends."""
        while part := await content.readany():
            counters.events += self.feed(part, now_s())
            counters.reads += 1

    def feed(self, part: bytes, now_s: float) -> int:
        """Takes what was read at ``now_s``; returns how many token events were in it."""
        *lines, self._rest = (self._rest + part).split(b"\n")
        if len(self._rest) > EVENT_BYTES_MAX:
            self.failure = f"an event of more than {EVENT_BYTES_MAX} bytes"
            self._rest = b""
        tokens = 0
        for line in lines:
            if line.startswith(DATA):
                tokens += self._event(line[len(DATA) :].strip(), now_s)
            elif line.startswith(COST):
                self.cost_nano_usd = _amount(line[len(COST) :])
        self.events += tokens
        return tokens

    def _event(self, data: bytes, now_s: float) -> int:
        if data == DONE:
            self.is_done = True
            return 0
        try:
            event = json.loads(data)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self.failure = f"an event that is no JSON object: {data[:MESSAGE_CHARS_MAX]!r}"
            return 0
        if event.get("error"):
            self.failure = f"an error within the stream: {event['error']}"[:MESSAGE_CHARS_MAX]
            return 0
        if event.get("usage"):
            self.usage = _usage(event["usage"])
        choices = event.get("choices")
        if not isinstance(choices, list) or not any(_carries_token(each) for each in choices):
            return 0
        self._token(now_s)
        return 1

    def _token(self, now_s: float) -> None:
        if self.last_s is None:
            self.first_s = now_s
        elif len(self.gaps_ms) < GAPS_MAX:
            self.gaps_ms.append((now_s - self.last_s) * 1000)
        else:
            self.gaps_lost += 1
        self.last_s = now_s


def _carries_token(choice: Any) -> bool:
    if not isinstance(choice, dict):
        return False
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        text, opens = choice.get("text"), False
    else:
        if any(delta.get(name) for name in TEXTS):
            return True
        text, opens = delta.get("content"), bool(delta.get("role"))
    return bool(text) or (text == "" and not opens and choice.get("finish_reason") is None)


def _amount(text: bytes) -> NanoUsd | None:
    try:
        return nano_usd(text.strip().decode("ascii"))
    except ValueError:
        return None


def _usage(told: Any) -> Usage | None:
    if not isinstance(told, dict):
        return None
    prompt, output = told.get("prompt_tokens"), told.get("completion_tokens")
    if type(prompt) is not int or type(output) is not int:
        return None
    details = told.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    if cached is None:
        cached = told.get("prompt_cache_hit_tokens")  # the form of some vendors
    return Usage(prompt, output, cached if type(cached) is int else None)
