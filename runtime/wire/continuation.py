"""What has to be kept of a greedy answer so that a twin of its engine can go on with it.

Text would not do: written anew as tokens it may be other tokens, and another answer follows. So
the engine is asked for the ids of its tokens, which are taken out again before the client sees
them. A twin that is sent the prompt's ids and the answer's goes on as the first one would have.

An id is no text: an engine holds back what may be half a character, or the beginning of a stop
text. So a twin begins a few tokens before the end of what the client has, at one whose text
surely was all told, and first has to say again what the client has. What says something else is
no twin, or has rounded otherwise, and is not passed on.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from runtime.wire.choices import each_choice
from runtime.wire.event_splitter import EVENT_END
from runtime.wire.frame_content import data_of, decoded

TAIL_FRAMES_MAX = 64  # the last ones, among which the place is found from where a twin goes on
REPEATED_TOKENS = 4  # that a twin has to say again, at least, where the answer has so many
_KEY = b'"token_ids":['
_NO_IDS = b'"token_ids":null'
_ANY_IDS = re.compile(rb'"((?:prompt_)?token_ids)": ?\[([0-9, ]*)\]')
_SAYS_NO_MORE = frozenset({"role", "content"})  # keys of a delta of plain text


@dataclass(frozen=True, slots=True)
class Piece:
    """What one frame told: tokens, and the text that they or those before them have become."""

    ids: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Begun:
    """What a client has of an answer that broke off, and from where a twin goes on with it."""

    prompt_ids: tuple[int, ...]
    answer_ids: tuple[int, ...]  # before the place from which the twin goes on
    repeated: str  # what the client has already of what the twin says from there on
    tokens: int  # of the answer, that were told
    frame: dict[str, Any]  # one of the answer's, as an example for further ones
    held_chars_max: int  # that an engine holds back of its text, for stop texts


class Kept(Protocol):
    """A keeper sees one stream while it passes."""

    def read_plain(self, chunk: bytes) -> tuple[bytes, bytes] | None:
        """What the client may see of whole frames, and the ids of the answer in them; None of a
        chunk that is, or may be, anything else than frames of plain text."""
        ...

    def read(self, frames: bytes) -> tuple[bytes, bytes]:
        """The same is returned of any whole frames."""
        ...

    def note(self, frames: bytes, ids: bytes) -> None:
        """Whole frames have been passed on, with these ids of the answer."""
        ...

    def so_far(self) -> Begun | None:
        """What a twin would go on with; None where none can."""
        ...


class KeptIds:
    """``held_chars_max`` are the characters that the engine holds back of an answer's text."""

    def __init__(self, *, is_chat: bool, held_chars_max: int) -> None:
        self._text_key = b'"delta":{"content":"' if is_chat else b'"text":"'
        self._held_chars_max = held_chars_max
        self._text_at = -1  # in frames of plain text; -1 until the prompt's ids have come
        self._prompt_ids = b""  # in decimal
        self._ids = bytearray()  # in decimal, each list with its bracket at its end
        self._tail: deque[bytes] = deque(maxlen=TAIL_FRAMES_MAX)
        self._is_plain = True  # no more than text has been said, and each token has told its id

    def read_plain(self, chunk: bytes) -> tuple[bytes, bytes] | None:
        """It runs once per token, and decodes nothing; see Kept."""
        if chunk.find(b"\n") == len(chunk) - 2:
            return self._read_one(chunk)
        *frames, rest = chunk.split(EVENT_END)
        found = [self._read_one(frame + EVENT_END) for frame in frames]
        if rest or not all(found):
            return None
        shown, ids = zip(*filter(None, found), strict=True)
        return b"".join(shown), b"".join(ids)

    def _read_one(self, frame: bytes) -> tuple[bytes, bytes] | None:
        at = frame.rfind(_KEY)
        if at < 0 or not (frame.startswith(self._text_key, self._text_at) or self._finds(frame)):
            return None
        end = frame.find(b"]", at) + 1
        return frame[:at] + _NO_IDS + frame[end:], frame[at + len(_KEY) : end]

    def _finds(self, frame: bytes) -> bool:
        """Where frames of plain text have it: it stays there."""
        found = frame.find(self._text_key)
        if found < 0 or not self._prompt_ids:
            return False
        self._text_at = found
        return True

    def read(self, frames: bytes) -> tuple[bytes, bytes]:
        return self.read_plain(frames) or self._read_each(frames)

    def note(self, frames: bytes, ids: bytes) -> None:
        self._ids += ids
        self._tail.append(frames)

    def so_far(self) -> Begun | None:
        if not (self._is_plain and self._prompt_ids and self._ids):
            return None
        ids = _numbers(self._ids)
        frames = [each for chunk in self._tail for each in _decoded_frames(chunk)]
        example = next((each for each in reversed(frames) if any(each_choice(each))), None)
        place = place_to_go_on(ids, pieces_of(frames), self._held_chars_max)
        if place is None or example is None:
            return None
        kept, repeated = place
        held = self._held_chars_max
        prompt_ids = _numbers(self._prompt_ids)
        return Begun(prompt_ids, ids[:kept], repeated, len(ids), example, held)

    def _read_each(self, frames: bytes) -> tuple[bytes, bytes]:
        """Of a frame that is not alone, or of any other kind."""
        ids: list[bytes] = []
        for frame in frames.split(EVENT_END):
            if (told := decoded(data_of(frame + EVENT_END) or b"")) is not None:
                self._look_at(told)
            found = dict(_ANY_IDS.findall(frame))
            if not self._prompt_ids and found.get(b"prompt_token_ids"):
                self._prompt_ids = found[b"prompt_token_ids"]
            if b"token_ids" in found:
                ids.append(found[b"token_ids"] + b"]")
        return _ANY_IDS.sub(rb'"\1":null', frames), b"".join(ids)

    def _look_at(self, told: dict[str, Any]) -> None:
        for choice in each_choice(told):
            delta = choice.get("delta") or {}
            text = delta.get("content") or choice.get("text")
            is_more = any(value for key, value in delta.items() if key not in _SAYS_NO_MORE)
            self._is_plain &= not is_more and (not text or bool(choice.get("token_ids")))


def place_to_go_on(
    ids: Sequence[int], tail: Sequence[Piece], held_chars_max: int
) -> tuple[int, str] | None:
    """This finds before how many of the ``ids`` a twin goes on, and what the client has of the text
    from there on. ``tail`` are the last pieces. None where no place is sure.

    A place is sure behind a token that came alone and made text: no half character is open there.
    So much text as is held back at any time, the client had not yet at that place.
    """
    sure: list[tuple[int, str]] = []
    at, text = len(ids), ""
    for piece in reversed(tail):
        if len(piece.ids) == 1 and piece.text and len(text) >= held_chars_max:
            sure.append((at, text[held_chars_max:]))
        if len(sure) > REPEATED_TOKENS:
            return sure[-1]
        at, text = at - len(piece.ids), piece.text + text
    if at == 0:  # all of the answer: written anew
        return 0, text
    return sure[-1] if sure else None


def pieces_of(frames: Iterable[dict[str, Any]]) -> list[Piece]:
    return [
        Piece(tuple(choice.get("token_ids") or ()), text_of(choice))
        for told in frames
        for choice in each_choice(told)
    ]


def text_of(choice: dict[str, Any]) -> str:
    """The text in a chat's choice, or in a completion's."""
    return (choice.get("delta") or {}).get("content") or choice.get("text") or ""


def _decoded_frames(frames: bytes) -> list[dict[str, Any]]:
    told = (decoded(data_of(frame + EVENT_END) or b"") for frame in frames.split(EVENT_END))
    return [each for each in told if each is not None]


def _numbers(ids: bytes | bytearray) -> tuple[int, ...]:
    return tuple(map(int, ids.replace(b"]", b" ").replace(b",", b" ").split()))
