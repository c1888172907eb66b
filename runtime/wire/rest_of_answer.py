"""The rest of an answer that its engine broke off, as a twin of that engine writes it.

The twin is asked for a completion of token ids, whatever the client has asked for; what it says is
told as further frames of the client's stream. Only greedy text can be gone on with: all that the
rest depends on stands in the prompt then. Not a tool call, which would be cut in two; nor
reasoning, a grammar or a penalty on what was said, whose state cannot be handed on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import to_json

from runtime.request_limits import LIMITS
from runtime.wire.choices import each_choice, finish_reason
from runtime.wire.continuation import (
    TAIL_FRAMES_MAX,
    Begun,
    KeptIds,
    Piece,
    pieces_of,
    place_to_go_on,
)
from runtime.wire.dialect import UpstreamCall, UpstreamModel
from runtime.wire.event_splitter import EventSplitter
from runtime.wire.frame_content import data_of, decoded
from runtime.wire.model_request import ModelRequest
from runtime.wire.sampling import Sampling
from runtime.wire.sse import FrameScanner

PATH = "/completions"
# Of the fields that chats and completions share, those that the twin gets with other values.
_OTHERWISE = {"model", "n", "max_tokens", "min_tokens", "add_special_tokens", "return_token_ids"}
_SHARED = Sampling.model_fields.keys() - _OTHERWISE
# What else a request may have, each with the values that leave the rest to the prompt alone.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "bad_words": ([],),  # their beginning may have been said
    "thinking_token_budget": (-1,),
    "return_token_ids": (False,),  # the client would be told those that are said again
    "return_tokens_as_token_ids": (False,),
    "echo": (False,),
}
_OF_ONE = frozenset({"usage", "prompt_token_ids"})  # keys of one frame, not of each


def kept_ids(request: ModelRequest) -> KeptIds | None:
    """What keeps the ids of a stream that answers this; None where no twin could go on with it."""
    if not isinstance(request, Sampling) or request.temperature != 0 or not request.streaming:
        return None
    if request.choices != 1 or request.asks_tools or request.asks_structure:
        return None
    form, logprobs = getattr(request, "response_format", None), getattr(request, "logprobs", None)
    if (form is not None and form.type != "text") or not (logprobs is None or logprobs is False):
        return None
    for name, values in _NEUTRAL.items():
        if (value := getattr(request, name, None)) is not None and value not in values:
            return None
    stops = [request.stop] if isinstance(request.stop, str) else request.stop or []
    if stops and request.include_stop_str_in_output:
        return None  # the beginning of one may have been told
    held = max(map(len, stops), default=1) - 1
    return KeptIds(is_chat=request.prompt_field == "messages", held_chars_max=held)


@dataclass(frozen=True, slots=True)
class Rest:
    """The rest of an answer to this request, of which the client has what was ``begun``."""

    request: ModelRequest
    begun: Begun

    @property
    def tokens_left(self) -> int | None:
        """That the caller allows; None: as many as the context holds."""
        asked = self.request.answer_tokens_max
        return None if asked is None else asked - len(self.begun.answer_ids)

    def call(self, upstream: UpstreamModel, context_tokens_max: int) -> UpstreamCall:
        """What the twin is sent."""
        begun, had = self.begun, len(self.begun.answer_ids)
        room = context_tokens_max - len(begun.prompt_ids) - had
        left = room if self.tokens_left is None else min(self.tokens_left, room)
        fields = self.request.upstream_fields(openai_only=False)
        told = {name: value for name, value in fields.items() if name in _SHARED}
        often = self.request.wants_usage_often
        told |= {
            "model": upstream.name,
            "prompt": [*begun.prompt_ids, *begun.answer_ids],
            "max_tokens": max(1, left),
            "min_tokens": max(0, fields.get("min_tokens", 0) - had),
            "stream_options": {"include_usage": True, "continuous_usage_stats": often},
            "return_token_ids": True,
        }
        return UpstreamCall(PATH, to_json(told))

    def scanner(self) -> RestScanner:
        return RestScanner(self.begun, wants_usage=self.request.wants_usage)


class RestScanner(FrameScanner):
    """Reads the twin's completion as frames of the stream that it goes on with. All usage that it
    tells is that of the whole answer. It keeps what a further twin would need, and is ``Kept``."""

    __slots__ = ("_begun", "_events", "_ids", "_pieces", "_repeated", "differs")

    def __init__(self, begun: Begun, *, wants_usage: bool) -> None:
        super().__init__(wants_usage=wants_usage)
        self.differs = False  # the twin says something else than the client has
        self._begun = begun
        self._repeated = begun.repeated  # what the twin has not said of it yet
        self._events = EventSplitter()
        self._ids: list[int] = []
        self._pieces: deque[Piece] = deque(maxlen=TAIL_FRAMES_MAX)

    def feed(self, chunk: bytes) -> bytes:
        return super().feed(b"".join(map(self._rewritten, self._events.feed(chunk))))

    def end(self) -> bytes:
        last = super().feed(b"".join(map(self._rewritten, self._events.end())))
        return last + super().end()

    def plain_frames(self, chunk: bytes) -> int:
        """The count is always 0: nothing passes as it came."""
        return 0

    def tokens(self, count: Callable[[str], int]) -> int:
        """This counts the whole answer, exactly."""
        return max(self._begun.tokens, len(self._begun.answer_ids) + len(self._ids))

    # -- Kept ---------------------------------------------------------------------------

    def read_plain(self, chunk: bytes) -> None:
        """The answer is None: nothing passes as it came."""

    def read(self, frames: bytes) -> tuple[bytes, bytes]:
        """Nothing is left to take out."""
        return frames, b""

    def note(self, frames: bytes, ids: bytes) -> None:
        """They were noted as they came."""

    def so_far(self) -> Begun | None:
        begun = self._begun
        place = place_to_go_on(self._ids, list(self._pieces), begun.held_chars_max)
        if place is None:
            return None
        ids = (*begun.answer_ids, *self._ids[: place[0]])
        return replace(begun, answer_ids=ids, repeated=place[1], tokens=self.tokens(len))

    # -- its own ------------------------------------------------------------------------

    def _rewritten(self, event: bytes) -> bytes:
        data = data_of(event)
        told = None if data is None else decoded(data)
        if told is None or "error" in told or self.differs:
            return event
        usage = self._usage_of_all(told.get("usage"))
        choice = next(each_choice(told), None)
        frame = {key: value for key, value in self._begun.frame.items() if key not in _OF_ONE}
        if choice is None:
            return _event({**frame, "choices": [], **usage})
        (piece,) = pieces_of([{"choices": [choice]}])
        self._ids += piece.ids
        self._pieces.append(piece)
        text, reason = self._new_text(piece.text), finish_reason(choice)
        if self.differs or (reason is not None and self._repeated):
            self.differs = True
            self._fail(event[: LIMITS.shown_chars_max], None)
            return b""
        if not text and reason is None:
            return b""
        return _event({**frame, "choices": [self._choice(text, choice)], **usage})

    def _new_text(self, text: str) -> str:
        """Without what the client has."""
        again, self._repeated = self._repeated[: len(text)], self._repeated[len(text) :]
        self.differs |= not text.startswith(again)
        return text[len(again) :]

    def _choice(self, text: str, told: dict[str, Any]) -> dict[str, Any]:
        """As those of the client's stream are."""
        choice = dict(next(each_choice(self._begun.frame)))
        choice |= {"delta": {"content": text}} if "delta" in choice else {"text": text}
        choice |= {key: None for key in ("token_ids", "prompt_token_ids") if key in choice}
        choice["finish_reason"] = told.get("finish_reason")
        if "stop_reason" in choice or choice["finish_reason"] is not None:
            choice["stop_reason"] = told.get("stop_reason")
        return choice

    def _usage_of_all(self, usage: Any) -> dict[str, Any]:
        """What was a part of this prompt is a part of the answer."""
        if not isinstance(usage, dict):
            return {}
        had, told = len(self._begun.answer_ids), dict(usage)
        for name, more in (("prompt_tokens", -had), ("completion_tokens", had)):
            if isinstance(told.get(name), int):
                told[name] = max(0, told[name] + more)
        if isinstance(parts := told.get("prompt_tokens_details"), dict):
            cached = parts.get("cached_tokens")
            if isinstance(cached, int):
                parts = {**parts, "cached_tokens": min(cached, told.get("prompt_tokens", cached))}
            told["prompt_tokens_details"] = parts
        return {"usage": told}


def _event(frame: dict[str, Any]) -> bytes:
    return b"data: " + to_json(frame) + b"\n\n"
