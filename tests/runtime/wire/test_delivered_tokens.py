"""Tokens told from bytes and a few frames: about right, whatever the frames are like."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.wire.delivered_tokens import PIECE_BYTES_MAX, PIECES_KEPT_MAX, Delivered


def frame(text: str, key: str = "content", choices: int = 1, ascii_only: bool = False) -> bytes:
    said: Any = [{"index": 0, "function": {"arguments": text}}] if key == "tool_calls" else text
    told = [
        {"index": n, "delta": {key: said}, "logprobs": None, "finish_reason": None}
        for n in range(choices)
    ]
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": told}
    return b"data: " + json.dumps(body, ensure_ascii=ascii_only).encode() + b"\n\n"


def characters(pieces: list[tuple[bytes, int]]) -> int:
    """A tokenizer whose tokens are characters."""
    delivered = Delivered()
    for piece, frames in pieces:
        delivered.add(piece, frames)
    assert delivered.bytes == sum(len(piece) for piece, _ in pieces)
    assert delivered.frames == sum(frames for _, frames in pieces)
    return delivered.tokens(len)


def test_of_few_pieces_all_is_known() -> None:
    assert characters([]) == 0
    assert characters([(frame(""), 1)]) == 0
    assert characters([(frame("a river"), 1)]) == 7
    assert characters([(frame("a river") + frame(" it") + frame(" ran"), 3)]) == 14
    pieces = [
        (frame("x" * n, key), 1) for key in ("content", "reasoning_content") for n in range(9)
    ]
    assert characters(pieces) == 72


@pytest.mark.parametrize(
    "key", ["content", "reasoning", "reasoning_content", "refusal", "tool_calls"]
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_of_many_alike_the_number_is_right(key: str, ascii_only: bool) -> None:
    pieces = [(frame("河水", key, 1, ascii_only), 1) for _ in range(5_000)]
    assert characters(pieces) == pytest.approx(10_000, rel=0.01)


def test_several_choices_and_several_frames_in_a_piece_count_all() -> None:
    assert characters([(frame("ab", choices=3) * 2, 2)] * 1_000) == pytest.approx(12_000, rel=0.01)


def test_reasoning_told_under_two_names_is_told_once() -> None:
    twice = frame("ab", "reasoning").replace(
        b'"reasoning"', b'"reasoning_content": "ab", "reasoning"'
    )
    assert characters([(twice, 1)]) == 2


def test_a_change_on_the_way_is_seen() -> None:
    """Thoughts before text, single tokens before twenty at once, one large frame at the end."""
    thoughts = [(frame("abcd", "reasoning_content"), 1)] * 3_000
    text = [(frame("abcd"), 1)] * 1_000
    assert characters(thoughts + text) == pytest.approx(16_000, rel=0.1)
    assert characters(text + [(frame("abcd" * 20), 1)] * 1_000) == pytest.approx(84_000, rel=0.1)
    assert characters([*text, (frame("x" * 50_000), 1)]) == pytest.approx(54_000, rel=0.05)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=400))
def test_it_is_about_right_for_any_sizes(sizes: list[int]) -> None:
    assert characters([(frame("x" * size), 1) for size in sizes]) == pytest.approx(
        sum(sizes), rel=0.02
    )


def test_it_keeps_little() -> None:
    delivered = Delivered()
    for _ in range(100_000):
        delivered.add(frame("a"), 1)
    for _ in range(100):
        delivered.add(frame("a" * PIECE_BYTES_MAX), 1)
    assert len(delivered._kept) <= PIECES_KEPT_MAX
    delivered = Delivered()
    for _ in range(PIECES_KEPT_MAX):
        delivered.add(frame("a" * PIECE_BYTES_MAX), 1)
    assert len(delivered._kept) == 1
    for _ in range(PIECES_KEPT_MAX):
        delivered.add(frame("a" * 9_000), 1)
    assert sum(map(len, delivered._kept)) < PIECES_KEPT_MAX * PIECE_BYTES_MAX


def test_the_sample_is_of_all_of_it() -> None:
    delivered = Delivered()
    for text in ["abcd"] * 100 + ["河"] * 3_000:
        delivered.add(frame(text), 1)
    assert delivered.tokens(lambda text: text.count("河")) == pytest.approx(3_000, rel=0.1)


def test_what_the_sample_holds_was_delivered() -> None:
    """Though by what its frames hold besides, there would be nothing in the others."""
    delivered = Delivered()
    for _ in range(PIECES_KEPT_MAX):
        for other in ("x" * 5_000, ""):
            delivered.add(frame("ab").replace(b"chatcmpl-1", other.encode()), 1)
    assert delivered.tokens(len) >= len(delivered._kept)


def test_a_first_piece_is_kept_however_large() -> None:
    assert characters([(frame("x" * 100_000), 1)]) == 100_000


def test_where_no_line_can_be_read_a_frame_is_all_that_is_known() -> None:
    split = frame("abc").replace(b'"delta"', b'\ndata: "delta"')
    assert characters([(split, 1)] * 7) == 7
    assert characters([(b"data: {half\n\n", 1), (b"data: [1]\n\n", 1)]) == 2
    assert characters([(b"data: " + b"[" * 5_000 + b"\n\n", 1)]) == 1
