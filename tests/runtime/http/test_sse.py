from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.http.choices import FAILURE_REASONS
from runtime.http.limits import LIMITS, refusals
from runtime.http.sse import FrameScanner
from runtime.http.usage import Usage

DONE = b"data: [DONE]\n\n"


def frame(told: Any, end: str = "\n\n", tight: bool = True) -> bytes:
    separators = (",", ":") if tight else (", ", ": ")
    text = json.dumps(told, separators=separators, ensure_ascii=False)
    return f"data: {text}{end}".encode()


def chunk(text: str | None, finish: str | None = None, index: int = 0, **more: Any) -> Any:
    choice = {"index": index, "delta": {"content": text}, "logprobs": None, "finish_reason": finish}
    return {"id": "c-1", "object": "chat.completion.chunk", "choices": [choice], **more}


USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
USAGE_FRAME = frame({"id": "c-1", "choices": [], "usage": USAGE})


def test_content_passes_at_once_as_the_same_bytes() -> None:
    scanner = FrameScanner()
    sent = frame(chunk("hello", usage=None))
    assert scanner.feed(sent) is sent
    assert (scanner.frames, scanner.finished, scanner.tail) == (1, False, b"")


@pytest.mark.parametrize("wants_usage", [True, False])
def test_the_end_is_held_back(wants_usage: bool) -> None:
    scanner = FrameScanner(wants_usage=wants_usage)
    last = frame(chunk("", "stop"))
    assert scanner.feed(frame(chunk("a"))) == frame(chunk("a"))
    assert scanner.feed(last) == b""
    assert (scanner.finished, scanner.done) == (True, False)
    assert scanner.feed(USAGE_FRAME) + scanner.feed(DONE) == b""
    assert scanner.tail == last + (USAGE_FRAME if wants_usage else b"") + DONE
    assert scanner.usage == Usage(9, None, 3, None, 12)
    assert scanner.done
    assert scanner.feed(frame(chunk("late"))) == b""
    assert scanner.tail.endswith(DONE)


def test_all_choices_must_finish() -> None:
    scanner = FrameScanner(choices=2)
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
    assert (scanner.done, scanner.finished, scanner.tail) == (True, False, b"")


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
        assert FrameScanner().plain_frames(frame(chunk("a", ""), tight=tight)) == 1
        assert FrameScanner().plain_frames(frame(chunk("a", "stop"), tight=tight)) == 0


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
    assert scanner.tail == last
    assert scanner.usage == Usage(9, 4, 3)
    assert scanner.frames == 2


def test_comments_pass_and_carry_nothing() -> None:
    scanner = FrameScanner()
    assert scanner.feed(b": ping\n\n") == b": ping\n\n"
    assert scanner.feed(b": pi") == b""
    assert scanner.feed(b"ng\r\n\r\n" + frame(chunk("a"))) == b": ping\r\n\r\n" + frame(chunk("a"))
    assert scanner.frames == 1


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


PLAIN = frame(chunk("a"))


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
    scanner = FrameScanner()
    frames = scanner.plain_frames(before + odd)
    assert frames == (0 if odd else before.count(b"\n\n"))
    assert scanner.plain_frames(before + PLAIN) == before.count(b"\n\n") + 1
    assert scanner.frames == 0  # it only looks


def test_nothing_is_plain_after_half_a_frame_or_the_end() -> None:
    scanner = FrameScanner()
    scanner.feed(PLAIN[:9])
    assert scanner.plain_frames(PLAIN) == 0
    scanner.feed(PLAIN[9:])
    assert scanner.plain_frames(PLAIN) == 1
    scanner.feed(frame(chunk("", "stop")))
    assert scanner.plain_frames(PLAIN) == 0


TEXTS = st.text(st.sampled_from('ab"\\\n\r中{}:') | st.characters(codec="utf-8"), max_size=12)
ENDS = st.sampled_from(["\n\n", "\r\n\r\n", "\n\r\n"])


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[bytes], list[bytes]]:
    """Frames before the last finish reason, and from it on without the usage frame."""
    tight, end = draw(st.booleans()), draw(ENDS)
    body: list[bytes] = []
    for text in draw(st.lists(TEXTS, max_size=6)):
        if draw(st.booleans()):
            body.append(b": ping" + end.encode())
        body.append(frame(chunk(text), end, tight))
    tail = [frame(chunk(draw(TEXTS), "stop"), end, tight), b"data: [DONE]" + end.encode()]
    return body, tail


@given(streams(), st.booleans(), st.data())
def test_no_split_changes_what_is_passed(
    stream: tuple[list[bytes], list[bytes]], wants_usage: bool, data: st.DataObject
) -> None:
    body, (last, done) = stream
    raw = b"".join([*body, last, USAGE_FRAME, done])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=30)))
    scanner = FrameScanner(wants_usage=wants_usage)
    passed = b"".join(
        scanner.feed(raw[a:b]) for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)
    )
    assert passed == b"".join(body)
    assert scanner.tail == last + (USAGE_FRAME if wants_usage else b"") + done
    says_something = json.loads(last[6:])["choices"][0]["delta"]["content"] != ""
    assert scanner.frames == sum(f.startswith(b"data") for f in body) + says_something
    assert (scanner.usage, scanner.finished, scanner.done) == (
        Usage(9, None, 3, None, 12),
        True,
        True,
    )


@given(st.lists(st.binary(max_size=40) | st.sampled_from([*ERROR_FRAMES, DONE, USAGE_FRAME])))
def test_garbage_never_raises_and_never_passes_done(chunks: list[bytes]) -> None:
    scanner = FrameScanner()
    passed = b"".join(map(scanner.feed, chunks))
    assert b"\n" + DONE not in b"\n" + passed
