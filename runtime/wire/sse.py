"""A target's event stream, passed on as the bytes it came in, and what it said on the way.

Nothing is passed on before the first words of an answer: until then another target can be asked.
From there on most frames carry a few characters of answer and nothing else; those are recognised
and never decoded. Every other frame is read as JSON. Only whole frames are passed on, so an error
frame of ours can follow at any point, and the end of the stream is held back: the bill comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.request_limits import LIMITS, refusals
from runtime.wire.choices import (
    CUT_OFF_REASONS,
    FAILURE_REASONS,
    choice_index,
    each_choice,
    finish_reason,
    has_words,
)
from runtime.wire.delivered_tokens import Delivered
from runtime.wire.event_splitter import EVENT_END, EventSplitter
from runtime.wire.frame_content import (
    DONE,
    data_of,
    decoded,
    is_content,
    last_content_end,
    model_told,
    surely_has_words,
    tells_error,
)
from runtime.wire.frame_likeness import Likeness
from runtime.wire.reported_usage import Tally, Usage


class FrameScanner:
    """Scans one stream. After an error frame or ``[DONE]`` nothing more is passed on or held."""

    __slots__ = (
        "_choices",
        "_finished",
        "_likeness",
        "_looks",
        "_opening",
        "_opening_frames",
        "_splitter",
        "_tail",
        "_tally",
        "_wants_usage",
        "begun",
        "cut_off",
        "delivered",
        "error",
        "finished",
        "over",
        "served_model",
        "told_error",
    )

    def __init__(self, *, choices: int = 1, wants_usage: bool = False) -> None:
        self.delivered = Delivered()
        self.begun = False  # words have come, or the end of an answer without any
        self.cut_off = False  # a limit or a filter has ended an answer, not the model
        self.error: bytes | None = None  # an error frame, or one that cannot be read
        self.told_error: dict[str, Any] | None = None  # what it says, if it can be read
        self.served_model: str | None = None  # as the frames up to the first words tell it
        self.finished = False  # every choice has told its finish reason
        self.over = False  # by [DONE] or an error: nothing more is passed on or held
        self._choices = choices
        self._wants_usage = wants_usage
        self._finished: set[int] = set()
        self._tally = Tally()
        self._likeness = Likeness()
        self._splitter = EventSplitter()
        self._opening = bytearray()  # frames before the first words
        self._opening_frames = 0
        self._tail = bytearray()
        self._looks = True  # at each frame: no chunk may overtake what is held, or be the first

    @property
    def frames(self) -> int:
        """Content frames passed on."""
        return self.delivered.frames

    @property
    def usage(self) -> Usage | None:
        return self._tally.usage

    @property
    def finished_choices(self) -> int:
        return len(self._finished)

    @property
    def tail(self) -> bytes:
        """What is held back from the last finish reason on, and the end."""
        return bytes(self._tail) + DONE if self.finished else b""

    def tokens(self, count: Callable[[str], int]) -> int:
        """About so many were delivered; ``count`` tells them of a text."""
        return self.delivered.tokens(count)

    def feed(self, chunk: bytes) -> bytes:
        """The bytes that may be sent to the client at once."""
        if self._looks:
            return self._split(chunk)
        if frames := self.plain_frames(chunk):
            self.delivered.add(chunk, frames)
            return chunk
        # Before the end of an answer there is often much in the same read that is not its end.
        head = chunk[: last_content_end(chunk)]
        if frames := self.plain_frames(head):
            self.delivered.add(head, frames)
            return head + self._split(chunk[len(head) :])
        return self._split(chunk)

    def end(self) -> bytes:
        """The target has ended its answer: what lacks only its empty line is a frame, too."""
        return b"" if self.over else self._taken(self._splitter.end())

    def plain_frames(self, chunk: bytes) -> int:
        """How many whole content frames the chunk is, if it is nothing else; they are not counted.

        0 where it has to be fed.
        """
        if self._looks or b"\r" in chunk:  # a line end, too: what follows may be another field
            return 0
        # One line, then an empty one: one frame.
        if chunk.find(b"\n") == len(chunk) - 2:
            return int(self._likeness.holds(chunk) or self._is_content(chunk))
        *lines, rest = chunk.split(EVENT_END)
        if rest or chunk.count(b"\n") != 2 * len(lines):
            return 0
        for line in lines:
            if not is_content(line):
                return 0
        return len(lines)

    def _is_content(self, frame: bytes) -> bool:
        if not is_content(frame):
            return False
        self._likeness.learn(frame)
        return True

    def _split(self, chunk: bytes) -> bytes:
        if self.over:
            return b""
        return self._taken(self._splitter.feed(chunk))

    def _taken(self, frames: list[bytes]) -> bytes:
        passed = bytearray()
        for frame in frames:
            passed += self._take(frame)
            if self.over:
                break
        self._check_size()
        is_flowing = self.begun and not (self.finished or self.over)
        self._looks = bool(self._splitter.held) or not is_flowing
        return bytes(passed)

    def _take(self, frame: bytes) -> bytes:
        """What may be passed on at once: this frame, with those before the first words."""
        if not self.finished and frame.find(b"\n") == len(frame) - 2 and is_content(frame):
            says_something = self.begun or surely_has_words(frame)
            if says_something is not None:
                return self._take_content(frame, says_something)
        data = data_of(frame)
        if data is None and not self.begun and frame.lstrip().startswith(b"{"):
            self._fail(frame, decoded(frame))  # no stream at all, but a body in one piece
            return b""
        if data is None:
            return self._hold_or_pass(frame, is_comment=True)
        if data.strip() == b"[DONE]":
            self.over = True
            return b""
        told = decoded(data)
        if told is None or tells_error(frame, told):
            self._fail(frame, told)
            return b""
        return self._read(frame, told)

    def _read(self, frame: bytes, told: dict[str, Any]) -> bytes:
        if b"_tokens" in frame:
            self._tally.add(told)
        if not told.get("choices"):
            only_usage = told.get("usage") is not None
            return b"" if only_usage and not self._wants_usage else self._hold_or_pass(frame)
        if not self._note_finishes(told):
            self._fail(frame, told)
            return b""
        says_something = any(map(has_words, each_choice(told)))
        return self._take_content(frame, says_something or (self.begun and not self.finished))

    def _take_content(self, frame: bytes, says_something: bool) -> bytes:
        """The first words, or the end of an answer without any, let go what was held back."""
        if says_something:
            self.delivered.add(frame, 1)
        if self.begun or not (says_something or self.finished):
            return self._hold_or_pass(frame)
        self.begun = True
        opening = bytes(self._opening)
        self._opening.clear()
        self.served_model = model_told(opening) or model_told(frame)
        return opening + self._hold_or_pass(frame)

    def _note_finishes(self, told: dict[str, Any]) -> bool:
        """False if one of them is a failure."""
        for choice in each_choice(told):
            reason = finish_reason(choice)
            if reason in FAILURE_REASONS:
                return False
            index = choice_index(choice) if self._choices > 1 else 0
            if reason is not None and 0 <= index < self._choices:
                self._finished.add(index)
                self.finished = len(self._finished) >= self._choices
                self.cut_off |= reason in CUT_OFF_REASONS
        return True

    def _hold_or_pass(self, frame: bytes, *, is_comment: bool = False) -> bytes:
        if not self.begun:
            self._hold_opening(frame, is_comment)
        elif self.finished:
            self._tail += frame
        else:
            return frame
        return b""

    def _hold_opening(self, frame: bytes, is_comment: bool) -> None:
        """Comments show that a target lives, for as long as it likes; they may be lost."""
        limit = None
        if len(self._opening) + len(frame) > LIMITS.opening_bytes_max:
            limit = "opening_bytes_max"
        elif self._opening_frames >= LIMITS.opening_frames_max:
            limit = "opening_frames_max"
        if limit is None:
            self._opening += frame
            self._opening_frames += 1
            return
        refusals[limit] += 1
        if not is_comment:
            self._fail(frame[: LIMITS.shown_chars_max], None)

    def _check_size(self) -> None:
        held = self._splitter.held
        if max(len(held), len(self._tail)) > LIMITS.frame_bytes_max and not self.over:
            refusals["frame_bytes_max"] += 1
            self._fail(bytes((held or self._tail)[: LIMITS.shown_chars_max]), None)

    def _fail(self, frame: bytes, told: dict[str, Any] | None) -> None:
        self.error = frame
        self.told_error = told
        self.over = True
        self.finished = False
        self._finished.clear()
        self._splitter.held.clear()
        self._opening.clear()
        self._tail.clear()
