from __future__ import annotations

import pytest

from runtime.request_limits import LIMITS, refusals
from runtime.wire.choices import CUT_OFF_REASONS, FAILURE_REASONS
from runtime.wire.reported_usage import Usage
from runtime.wire.sse import FrameScanner
from tests.runtime.wire.events import DONE, PLAIN, USAGE_FRAME, chunk, flowing, frame


def test_content_passes_at_once_as_the_same_bytes() -> None:
    scanner = flowing()
    sent = frame(chunk("hello", usage=None))
    assert scanner.feed(sent) is sent
    assert (scanner.frames, scanner.finished, scanner.tail) == (2, False, b"")


@pytest.mark.parametrize("wants_usage", [True, False])
def test_the_end_is_held_back(wants_usage: bool) -> None:
    scanner = FrameScanner(wants_usage=wants_usage)
    last = frame(chunk("", "stop"))
    assert scanner.feed(frame(chunk("a"))) == frame(chunk("a"))
    assert scanner.feed(last) == b""
    assert (scanner.finished, scanner.over) == (True, False)
    assert scanner.feed(USAGE_FRAME) + scanner.feed(DONE) == b""
    assert scanner.tail == last + (USAGE_FRAME if wants_usage else b"") + DONE
    assert scanner.over
    assert scanner.usage == Usage(9, None, 3, None, 12)
    assert scanner.feed(frame(chunk("late"))) == b""
    assert scanner.tail.endswith(DONE)


def test_all_choices_must_finish() -> None:
    scanner = flowing(choices=2)
    first, second = frame(chunk("", "stop", 0)), frame(chunk("", "length", 1))
    assert scanner.feed(first) == first
    assert scanner.feed(first) == first  # told twice, it is still one choice
    assert not scanner.finished
    assert scanner.feed(second) == b""
    assert scanner.finished


def test_two_choices_in_one_frame() -> None:
    scanner = FrameScanner(choices=2)
    both = chunk("", "stop", 0)
    both["choices"] += chunk("x", None, 1)["choices"]
    assert scanner.feed(frame(both)) == frame(both)
    assert scanner.feed(frame(chunk("", "stop", 1))) == b""
    assert scanner.finished


def test_done_without_a_finish_reason_is_not_passed_on() -> None:
    scanner = FrameScanner()
    assert scanner.feed(frame(chunk("a")) + DONE) == frame(chunk("a"))
    assert (scanner.over, scanner.finished, scanner.tail) == (True, False, b"")


@pytest.mark.parametrize("nothing", ["", "null", "None"])
@pytest.mark.parametrize("tight", [True, False])
def test_an_empty_finish_reason_is_none(nothing: str, tight: bool) -> None:
    scanner = FrameScanner()
    sent = [frame(chunk(text, nothing), tight=tight) for text in "ab"]
    assert [scanner.feed(each) for each in sent] == sent
    assert (scanner.frames, scanner.finished) == (2, False)
    assert scanner.feed(frame(chunk("", "stop"), tight=tight)) == b""
    assert scanner.finished


def test_an_empty_finish_reason_is_no_reason_to_decode_a_frame() -> None:
    for tight in (True, False):
        assert flowing().plain_frames(frame(chunk("a", ""), tight=tight)) == 1
        assert flowing().plain_frames(frame(chunk("a", "stop"), tight=tight)) == 0


@pytest.mark.parametrize("index", [None, 1, 7, "0"])
def test_one_choice_is_the_one_that_was_asked_for(index: object) -> None:
    scanner = FrameScanner()
    last = chunk("", "stop")
    last["choices"][0]["index"] = index
    assert scanner.feed(frame(last)) == b""
    assert scanner.finished


ERROR_FRAMES = [
    frame({"error": {"message": "boom", "code": 500}}),
    frame({"error": "boom"}, tight=False),
    b'event: error\ndata: {"error":{"message":"boom"}}\n\n',
    frame({"object": "error", "message": "boom"}),
    frame(chunk("a", error={"message": "boom"})),
    *(frame(chunk("a", reason)) for reason in sorted(FAILURE_REASONS)),
    b"data: {not json}\n\n",
    b"data: [1]\n\n",
    b"data: " + b"[" * 5000 + b"\n\n",
]


@pytest.mark.parametrize("bad", ERROR_FRAMES)
def test_an_error_frame_ends_the_stream_and_is_not_passed_on(bad: bytes) -> None:
    scanner = FrameScanner()
    good = frame(chunk("a"))
    assert scanner.feed(good + bad + good) == good
    assert scanner.error == bad
    assert scanner.feed(good) + scanner.feed(DONE) == b""
    assert (scanner.tail, scanner.frames) == (b"", 1)


def test_an_error_after_the_finish_reason_takes_the_tail_back() -> None:
    scanner = FrameScanner()
    scanner.feed(frame(chunk("", "stop")) + frame({"error": {"message": "boom"}}))
    assert scanner.error
    assert (scanner.tail, scanner.finished) == (b"", False)


@pytest.mark.parametrize(
    "text",
    [
        '"finish_reason":"stop"',
        '{"error":{"message":"x"}}',
        '"usage":{"prompt_tokens":1}',
        "finish_reason",
        "error",
        "data: [DONE]\n\n",
        '\\"finish_reason\\":"x"',
    ],
)
def test_answers_that_talk_about_the_protocol_are_answers(text: str) -> None:
    scanner = FrameScanner()
    for tight in (True, False):
        sent = frame(chunk(text), tight=tight)
        assert scanner.feed(sent) == sent
    assert (scanner.frames, scanner.finished, scanner.error, scanner.usage) == (
        2,
        False,
        None,
        None,
    )


def test_usage_in_every_chunk_and_in_the_last() -> None:
    scanner = FrameScanner()
    for tokens in (1, 2):
        told = {"prompt_tokens": 9, "completion_tokens": tokens}
        sent = frame(chunk("a", usage=told))
        assert scanner.feed(sent) == sent
    cached = {"prompt_tokens": 9, "completion_tokens": 3, "prompt_cache_hit_tokens": 4}
    last = frame(chunk("", "stop", usage=cached))
    assert scanner.feed(last) == b""
    assert scanner.tail == last + DONE
    assert scanner.usage == Usage(9, 4, 3)
    assert scanner.frames == 2


def test_frames_after_the_first_words_show_progress_even_without_words() -> None:
    scanner = flowing()
    told = {"prompt_tokens": 9, "completion_tokens": 1}
    for empty in (frame(chunk("")), frame(chunk("", usage=told))):
        assert scanner.feed(empty) == empty
    assert scanner.frames == 3


@pytest.mark.parametrize("reason", [*sorted(CUT_OFF_REASONS), "stop", "tool_calls"])
def test_who_ended_an_answer(reason: str) -> None:
    scanner = flowing()
    scanner.feed(frame(chunk("", reason)))
    assert scanner.cut_off == (reason in CUT_OFF_REASONS)


def test_lines_of_no_known_field_pass() -> None:
    odd = b'{"error": "in no event"}\n\n'
    assert flowing().feed(odd) == odd


def test_comments_pass_and_carry_nothing() -> None:
    scanner = flowing()
    assert scanner.feed(b": ping\n\n") == b": ping\n\n"
    assert scanner.feed(b": pi") == b""
    assert scanner.feed(b"ng\n\n" + PLAIN) == b": ping\n\n" + PLAIN
    assert scanner.frames == 2


@pytest.mark.parametrize("finished", [True, False])
def test_a_frame_without_end_is_an_error(finished: bool) -> None:
    scanner = FrameScanner()
    if finished:
        scanner.feed(frame(chunk("", "stop")))
    before = refusals["frame_bytes_max"]
    piece = b"data: " + b"x" * 65_536
    for _ in range(LIMITS.frame_bytes_max // len(piece) + 2):
        assert scanner.feed(piece) == b""
    assert scanner.error
    assert scanner.tail == b""
    assert refusals["frame_bytes_max"] == before + 1


def test_a_tail_without_end_is_an_error() -> None:
    scanner = FrameScanner()
    scanner.feed(frame(chunk("", "stop")))
    for _ in range(LIMITS.frame_bytes_max // 60_000 + 2):
        scanner.feed(frame(chunk("x" * 60_000)))
    assert scanner.error


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b": ping\n\n",
        PLAIN.replace(b'"choices"', b'\ndata: "choices"'),
        PLAIN[:-1],
        frame(chunk("a", "stop")),
        USAGE_FRAME,
        *ERROR_FRAMES,
    ],
)
@pytest.mark.parametrize("before", [b"", PLAIN, PLAIN * 3])
def test_only_whole_plain_frames_are_plain(odd: bytes, before: bytes) -> None:
    scanner = flowing()
    frames = scanner.plain_frames(before + odd)
    assert frames == (0 if odd else before.count(b"\n\n"))
    assert scanner.plain_frames(before + PLAIN) == before.count(b"\n\n") + 1
    assert scanner.frames == 1  # it only looks


def test_nothing_is_plain_before_the_first_words() -> None:
    assert FrameScanner().plain_frames(PLAIN) == 0


def test_nothing_is_plain_after_half_a_frame_or_the_end() -> None:
    scanner = flowing()
    scanner.feed(PLAIN[:9])
    assert scanner.plain_frames(PLAIN) == 0
    scanner.feed(PLAIN[9:])
    assert scanner.plain_frames(PLAIN) == 1
    scanner.feed(frame(chunk("", "stop")))
    assert scanner.plain_frames(PLAIN) == 0
