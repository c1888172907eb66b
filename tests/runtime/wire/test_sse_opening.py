"""The two ends of a stream: what is held back before the first words, and how it may end."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.request_limits import LIMITS, refusals
from runtime.wire.sse import FrameScanner
from tests.runtime.wire.events import DONE, PLAIN, USAGE_FRAME, chunk, flowing, frame

COMMENT = b": ping\n\n"
ROLE = chunk(None)
ROLE["choices"][0]["delta"] = {"role": "assistant", "content": ""}
OPENING = COMMENT + frame(ROLE) + b"event: ping\n\n" + COMMENT


def delta(**said: Any) -> bytes:
    told = chunk(None)
    told["choices"][0]["delta"] = said
    return frame(told)


WORDS = {
    "text": PLAIN,
    "text with spaces": frame(chunk("a"), tight=False),
    "text that begins with a quote": frame(chunk('"')),
    "text in parts": delta(content=[{"type": "text", "text": "a"}]),
    "a role with text": delta(role="assistant", content="a"),
    "reasoning beside empty text": delta(content="", reasoning="hm"),
    "reasoning": delta(reasoning_content="hm"),
    "a tool call": delta(tool_calls=[{"index": 0, "function": {"name": "f"}}]),
    "a refusal": delta(refusal="no"),
    "a completion": frame({"choices": [{"index": 0, "text": "a", "finish_reason": None}]}),
}


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
def test_what_comes_before_the_first_words_is_held_until_they_come(words: bytes) -> None:
    scanner = FrameScanner()
    assert scanner.feed(OPENING) == b""
    assert (scanner.begun, scanner.frames) == (False, 0)
    assert scanner.feed(words) == OPENING + words
    assert (scanner.begun, scanner.frames) == (True, 1)
    assert scanner.feed(PLAIN) is PLAIN


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": "", "refusal": None},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"content": "", "reasoning_content": ""},
        {"role": '"content":"a"'},
    ],
)
def test_what_has_no_words_is_no_beginning(said: dict[str, Any]) -> None:
    for tight in (True, False):
        told = chunk(None)
        told["choices"][0]["delta"] = said
        scanner = FrameScanner()
        assert scanner.feed(frame(told, tight=tight)) == b""
        assert not scanner.begun


def test_all_may_come_at_once() -> None:
    scanner = FrameScanner()
    last = frame(chunk("", "stop"))
    assert scanner.feed(OPENING + PLAIN + PLAIN + last + USAGE_FRAME + DONE) == OPENING + PLAIN * 2
    assert (scanner.frames, scanner.tail) == (2, last + DONE)


def test_an_answer_of_one_frame_is_all_end() -> None:
    scanner = FrameScanner()
    only = frame(chunk("yes", "stop"))
    assert scanner.feed(only) == b""
    assert (scanner.begun, scanner.tail) == (True, only + DONE)


def test_an_end_without_words_is_an_answer() -> None:
    scanner = FrameScanner()
    last = frame(chunk("", "stop"))
    assert scanner.feed(OPENING + last) == OPENING
    assert (scanner.begun, scanner.finished, scanner.tail) == (True, True, last + DONE)


@pytest.mark.parametrize("wants_usage", [True, False])
def test_usage_alone_is_no_answer(wants_usage: bool) -> None:
    scanner = FrameScanner(wants_usage=wants_usage)
    assert scanner.feed(USAGE_FRAME) + scanner.feed(DONE) + scanner.end() == b""
    assert (scanner.begun, scanner.over, scanner.tail) == (False, True, b"")
    assert scanner.usage is not None


@pytest.mark.parametrize("wants_usage", [True, False])
def test_usage_before_the_words_is_shown_to_whom_asked_for_it(wants_usage: bool) -> None:
    scanner = FrameScanner(wants_usage=wants_usage)
    assert scanner.feed(USAGE_FRAME + PLAIN) == (USAGE_FRAME if wants_usage else b"") + PLAIN


def test_an_error_before_the_words_leaves_nothing_to_send() -> None:
    scanner = FrameScanner()
    bad = frame({"error": {"message": "boom", "code": 429}})
    assert scanner.feed(OPENING + bad + PLAIN) == b""
    assert scanner.told_error == {"error": {"message": "boom", "code": 429}}
    assert (scanner.begun, scanner.error, scanner.tail) == (False, bad, b"")


@pytest.mark.parametrize("told", [{"message": "boom"}, {"type": "error", "message": "boom"}])
@pytest.mark.parametrize("make", [FrameScanner, flowing])
def test_an_event_of_the_name_error_is_one(told: Any, make: Any) -> None:
    scanner = make()
    assert scanner.feed(b"event: error\n" + frame(told)) == b""
    assert scanner.told_error == told


@pytest.mark.parametrize("space", [b"", b"\n", b" "])
def test_an_error_in_one_piece_instead_of_a_stream(space: bytes) -> None:
    scanner = FrameScanner()
    assert scanner.feed(space + b'{"error": {"message": "boom",') == b""
    assert scanner.feed(b'\n "code": 429}}') + scanner.end() == b""
    assert scanner.told_error == {"error": {"message": "boom", "code": 429}}


@pytest.mark.parametrize("limit", ["opening_bytes_max", "opening_frames_max"])
def test_what_is_held_back_has_a_bound(limit: str) -> None:
    size = 1_024 if limit == "opening_bytes_max" else 1
    before = refusals[limit]
    scanner = FrameScanner()
    for _ in range(getattr(LIMITS, limit) // size + 1):
        assert scanner.feed(delta(role="assistant", name="x" * size)) == b""
    assert scanner.over
    assert scanner.error
    assert refusals[limit] == before + 1


def test_comments_show_life_for_as_long_as_they_come() -> None:
    before = refusals["opening_frames_max"]
    scanner = FrameScanner()
    comments = LIMITS.opening_frames_max + 5
    for _ in range(comments):
        assert scanner.feed(COMMENT) == b""
    assert scanner.feed(PLAIN) == COMMENT * LIMITS.opening_frames_max + PLAIN
    assert refusals["opening_frames_max"] == before + 5


def test_a_byte_order_mark_is_no_word() -> None:
    scanner = FrameScanner()
    assert scanner.feed(b"\xef\xbb\xbf" + PLAIN) == b"\xef\xbb\xbf" + PLAIN
    assert scanner.begun


LAST = frame(chunk("", "stop"))


@pytest.mark.parametrize(
    "end",
    [
        DONE,
        DONE[:-1],
        DONE[:-2],
        b"data:[DONE]",
        b"data: [DONE]\r\n",
        b"",
        b"\n",
        b": bye\n\n",
        b": by",
    ],
)
def test_a_whole_answer_is_whole_however_it_ends(end: bytes) -> None:
    scanner = flowing()
    assert scanner.feed(LAST + USAGE_FRAME + end) + scanner.end() == b""
    assert scanner.finished
    assert scanner.tail.startswith(LAST)
    assert scanner.tail.endswith(DONE)
    assert scanner.tail.count(b"[DONE]") == 1
    assert scanner.usage is not None


def test_a_last_frame_may_lack_its_empty_line() -> None:
    scanner = flowing()
    assert scanner.feed(LAST[:-2]) + scanner.end() == b""
    assert scanner.tail == LAST + DONE
    scanner = flowing()
    assert scanner.feed(LAST + USAGE_FRAME[:-1]) + scanner.end() == b""
    assert scanner.usage is not None


@pytest.mark.parametrize("end", [LAST[:-3], LAST[:40], b"data: {", b""])
def test_half_an_answer_is_not_whole(end: bytes) -> None:
    scanner = flowing()
    assert scanner.feed(end) + scanner.end() == b""
    assert not scanner.finished
    assert scanner.tail == b""


def test_half_a_frame_after_the_finish_reason_is_an_error() -> None:
    scanner = flowing()
    assert scanner.feed(LAST + USAGE_FRAME[:20]) + scanner.end() == b""
    assert scanner.error
    assert not scanner.finished


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 1_000])
def test_any_line_end_of_the_standard(line_end: bytes, size: int) -> None:
    scanner = FrameScanner()
    raw = (OPENING + PLAIN * 3 + LAST + DONE).replace(b"\n", line_end)
    passed = b"".join(scanner.feed(raw[n : n + size]) for n in range(0, len(raw), size))
    assert passed == OPENING + PLAIN * 3
    assert (scanner.frames, scanner.tail) == (3, LAST + DONE)


def test_a_line_end_may_be_cut_in_two() -> None:
    scanner = flowing()
    assert scanner.feed(PLAIN[:-2] + b"\r\n\r") == PLAIN
    assert scanner.feed(b"\n" + PLAIN) == PLAIN
    assert scanner.feed(PLAIN[:-2] + b"\r\r") == PLAIN
    assert scanner.feed(PLAIN) == PLAIN
    assert scanner.frames == 5
    assert scanner.finished_choices == 0


def test_how_many_answers_are_complete() -> None:
    scanner = flowing(choices=3)
    for index in (0, 2, 2, 3):
        scanner.feed(frame(chunk("", "stop", index)))
    assert scanner.finished_choices == 2
