"""A target's event stream, passed on as the bytes it came in, and what it said on the way.

Most frames carry a few characters of answer and nothing else; those are recognised by searching
for the keys that would make them more, and never decoded. The search is sound: inside a JSON
string a quote is escaped, so ``"finish_reason":`` with both quotes is a key. Every other frame
is read as JSON. Only whole frames are passed on, so an error frame of ours can follow at any
point, and the end of the stream is held back: the bill comes first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from runtime.http.choices import (
    CUT_OFF_REASONS,
    FAILURE_REASONS,
    choice_index,
    each_choice,
    finish_reason,
    has_words,
)
from runtime.http.delivered import Delivered
from runtime.http.limits import LIMITS, refusals
from runtime.http.usage import Tally, Usage

_FRAME_END = re.compile(rb"\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_LINE_ENDS = (b"}\n\n", b"}")
_NULL = (b":null", b": null")
_GOES_ON = (*_NULL, b':""', b': ""')  # some send an empty finish reason
_NEXT = b"\n\n"
_FINISH = b'"finish_reason"'
_USAGE = b'"usage"'
_ERROR = b'"error"'


class FrameScanner:
    """One stream. After an error frame or ``[DONE]`` nothing more is passed on or held."""

    __slots__ = (
        "_begun",
        "_choices",
        "_finished",
        "_held",
        "_searched",
        "_tail",
        "_tally",
        "_wants_usage",
        "cut_off",
        "delivered",
        "done",
        "error",
        "over",
    )

    def __init__(self, *, choices: int = 1, wants_usage: bool = False) -> None:
        self.delivered = Delivered()
        self.done = False  # [DONE] seen
        self.cut_off = False  # a limit or a filter has ended an answer, not the model
        self.error: bytes | None = None  # an error frame, or one that cannot be read
        self._choices = choices
        self._wants_usage = wants_usage
        self._finished: set[int] = set()
        self._tally = Tally()
        self._held = bytearray()  # the beginning of a frame
        self._searched = 0  # how far _held has been searched for its end
        self._tail = bytearray()
        self._begun = False  # _held or _tail holds something: no chunk may overtake it
        self.over = False  # by [DONE] or an error: nothing more is passed on or held

    @property
    def frames(self) -> int:
        """Content frames passed on."""
        return self.delivered.frames

    def tokens(self, count: Callable[[str], int]) -> int:
        """About so many were delivered; ``count`` tells them of a text."""
        return self.delivered.tokens(count)

    @property
    def usage(self) -> Usage | None:
        return self._tally.usage

    @property
    def finished(self) -> bool:
        """Every choice has told its finish reason."""
        return len(self._finished) >= self._choices

    @property
    def tail(self) -> bytes:
        """What is held back from the last finish reason on."""
        return bytes(self._tail)

    def feed(self, chunk: bytes) -> bytes:
        """The bytes that may be sent to the client at once."""
        if frames := self.plain_frames(chunk):
            self.delivered.add(chunk, frames)
            return chunk
        # Before the end of an answer there is often much in the same read that is not its end.
        head = chunk[: _last_content_end(chunk)]
        if frames := self.plain_frames(head):
            self.delivered.add(head, frames)
            return head + self._split(chunk[len(head) :])
        return self._split(chunk)

    def plain_frames(self, chunk: bytes) -> int:
        """How many whole content frames the chunk is, if it is nothing else; they are not counted.

        0 where it has to be fed.
        """
        if self._begun:
            return 0
        # One line, then an empty one: one frame.
        if chunk.find(b"\n") == len(chunk) - 2:
            return int(_is_content(chunk))
        *lines, rest = chunk.split(_NEXT)
        if rest or chunk.count(b"\n") != 2 * len(lines):
            return 0
        for line in lines:
            if not _is_content(line):
                return 0
        return len(lines)

    def _split(self, chunk: bytes) -> bytes:
        if self.over:
            return b""
        self._held += chunk
        passed = bytearray()
        start = 0
        search = max(0, self._searched - 2)  # the end of a frame may be split, too
        while not self.over and (end := _FRAME_END.search(self._held, search)):
            frame = bytes(self._held[start : end.end()])
            start = search = end.end()
            passed += self._take(frame)
        del self._held[:start]
        self._searched = len(self._held)
        self._check_size()
        self._begun = bool(self._held) or self.finished or self.over
        return bytes(passed)

    def _take(self, frame: bytes) -> bytes:
        """The frame, if it is to be passed on at once; else b"" and it is held or dropped."""
        if not self.finished and frame.find(b"\n") == len(frame) - 2 and _is_content(frame):
            self.delivered.add(frame, 1)
            return frame
        data = _data(frame)
        if data is None:  # a comment, or fields that carry nothing
            return self._hold_or_pass(frame)
        if data.strip() == b"[DONE]":
            self.done = self.over = True
            if self.finished:  # else it would claim a completeness that is not there
                self._tail += frame
            return b""
        told = _decode(data)
        if told is None or told.get("error") or told.get("object") == "error":
            self._fail(frame)
            return b""
        return self._read(frame, told)

    def _read(self, frame: bytes, told: dict[str, Any]) -> bytes:
        if b"_tokens" in frame:
            self._tally.add(told)
        if not told.get("choices"):
            only_usage = told.get("usage") is not None
            return b"" if only_usage and not self._wants_usage else self._hold_or_pass(frame)
        if not self._note_finishes(told):
            self._fail(frame)
            return b""
        if not self.finished or any(map(has_words, each_choice(told))):
            self.delivered.add(frame, 1)
        return self._hold_or_pass(frame)

    def _note_finishes(self, told: dict[str, Any]) -> bool:
        """False if one of them is a failure."""
        for choice in each_choice(told):
            reason = finish_reason(choice)
            if reason in FAILURE_REASONS:
                return False
            index = choice_index(choice) if self._choices > 1 else 0
            if reason is not None and 0 <= index < self._choices:
                self._finished.add(index)
                self.cut_off |= reason in CUT_OFF_REASONS
        return True

    def _hold_or_pass(self, frame: bytes) -> bytes:
        if not self.finished:
            return frame
        self._tail += frame
        return b""

    def _check_size(self) -> None:
        if max(len(self._held), len(self._tail)) > LIMITS.frame_bytes_max and not self.over:
            refusals["frame_bytes_max"] += 1
            self._fail(bytes((self._held or self._tail)[: LIMITS.shown_chars_max]))

    def _fail(self, frame: bytes) -> None:
        self.error = frame
        self.over = True
        self._finished.clear()
        self._held.clear()
        self._tail.clear()


def _is_content(frame: bytes) -> bool:
    """Whether a frame of one line surely carries answer and no more, be its end there or cut off.
    False is no verdict.

    Runs once per token: searches from the right take half the time of those from the left.
    """
    if not (frame.startswith(b"data: {") and frame.endswith(_LINE_ENDS)):
        return False
    usage = frame.rfind(_USAGE)
    if usage >= 0 and not frame.startswith(_NULL, usage + len(_USAGE)):
        return False
    # A frame that names no finish reason may hold no choice, one that names two holds several.
    finish = frame.rfind(_FINISH)
    return (
        finish >= 0
        and frame.startswith(_GOES_ON, finish + len(_FINISH))
        and frame.find(_FINISH) == finish
        and frame.rfind(_ERROR) < 0
    )


def _last_content_end(chunk: bytes) -> int:
    """Where the last frame that may be content ends; 0 if there is none."""
    last = max(chunk.rfind(_FINISH + null) for null in _GOES_ON)
    end = chunk.find(_NEXT, last) if last >= 0 else -1
    return end + len(_NEXT) if end >= 0 else 0


def _data(frame: bytes) -> bytes | None:
    values = [
        line[5:].removeprefix(b" ") for line in _LINE_END.split(frame) if line.startswith(b"data:")
    ]
    return b"\n".join(values) if values else None


def _decode(data: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None
