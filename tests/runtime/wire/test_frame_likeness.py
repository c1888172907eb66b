from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.wire.frame_likeness import FRAME_BYTES_MAX, TRIES_MAX, Likeness
from tests.runtime.wire.events import chunk, frame

TEXTS = st.text(st.sampled_from('ab"\\\n{}:, 中') | st.characters(codec="utf-8"), max_size=12)
KEYS = ["content", "reasoning_content", "reasoning"]


def said(text: str, key: str = "content", **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = chunk(text, **more)
    told["choices"][0]["delta"] = {key: text}
    return told


def learned(content: bytes) -> Likeness:
    likeness = Likeness()
    likeness.learn(content)
    return likeness


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("tight", [True, False])
def test_the_words_may_differ_and_nothing_else(key: str, tight: bool) -> None:
    likeness = learned(frame(said('a "b"\\', key), tight=tight))
    for text in ("", "c", "error", "usage", "finish_reason", "}", "\n", "\\"):
        assert likeness.holds(frame(said(text, key), tight=tight))
    assert not likeness.holds(frame(said("a", key), tight=not tight))
    assert not likeness.holds(frame(said('"', key), tight=tight))  # to be looked at
    assert not likeness.holds(frame(said("a", key, usage={"completion_tokens": 1}), tight=tight))
    last = said("a", key)
    last["choices"][0]["finish_reason"] = "stop"
    assert not likeness.holds(frame(last, tight=tight))
    assert not likeness.holds(frame(chunk("", "stop"), tight=tight))


@given(TEXTS, TEXTS, st.sampled_from(KEYS), st.sampled_from(KEYS), st.booleans())
def test_what_is_alike_says_the_same_but_for_the_words(
    one: str, other: str, key: str, other_key: str, tight: bool
) -> None:
    likeness = learned(frame(said(one, key), tight=tight))
    candidate = frame(said(other, other_key), tight=tight)
    if likeness.holds(candidate):
        told = json.loads(candidate[6:])
        told["choices"][0]["delta"] = {}
        assert told == said("") | {"choices": [said("")["choices"][0] | {"delta": {}}]}
        assert key == other_key


def test_a_completion_has_its_words_elsewhere() -> None:
    def completion(text: str) -> bytes:
        return frame({"choices": [{"index": 0, "text": text, "finish_reason": None}]})

    assert learned(completion("a")).holds(completion("b"))


def test_nothing_is_like_what_was_not_learned() -> None:
    plain = frame(said("a"))
    assert not Likeness().holds(plain)
    assert not learned(frame({"choices": []})).holds(plain)
    long = frame(said("a", "content") | {"id": "x" * FRAME_BYTES_MAX})
    assert not learned(long).holds(long)


def test_a_stream_whose_frames_are_never_alike_is_not_learned_for_ever() -> None:
    likeness = Likeness()
    frames = [frame(said("a") | {"id": str(n)}) for n in range(TRIES_MAX + 1)]
    for each in frames:
        likeness.learn(each)
    assert likeness.holds(frames[-2])
    assert not likeness.holds(frames[-1])
