"""Anthropic's events as the frames of a chat completion, in whatever order they come."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtime.request_limits import LIMITS
from runtime.wire.reported_usage import Usage
from tests.runtime.wire.anthropic import answers as an
from tests.runtime.wire.anthropic.reading import (
    ASKED_S,
    calls_of,
    new_scanner,
    passed_on,
    reasons,
    said,
)


@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_an_answer_is_told_as_a_chat_completion(size: int) -> None:
    scanner = new_scanner()
    frames = passed_on(scanner, an.RIVER, size)
    assert (said(frames, "content"), reasons(frames)) == (" river ran", ["stop"])
    assert {(frame["id"], frame["created"]) for frame in frames} == {("msg_1", ASKED_S)}
    assert {frame["model"] for frame in frames} == {an.MODEL}
    assert frames[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert (scanner.begun, scanner.finished, scanner.error) == (True, True, None)
    assert scanner.tail.endswith(b"data: [DONE]\n\n")
    assert scanner.usage == Usage(8, None, 2)
    assert scanner.delivered.frames == 2
    assert scanner.tokens(len) == len(" river ran")


def test_nothing_is_passed_on_before_the_first_words_and_none_as_it_came() -> None:
    scanner = new_scanner()
    for told in (an.start(), an.block_start(), an.PING):
        assert scanner.feed(an.event(told)) == b""
    words = an.event(an.text("x"))
    assert b'"content":"x"' in scanner.feed(words)
    assert scanner.plain_frames(words) == 0
    assert scanner.feed(an.event(an.PING)) == b": ping\n\n"


def test_usage_is_told_to_a_client_that_asked() -> None:
    told = [an.start(cache_read_input_tokens=900, cache_creation_input_tokens=92), *an.RIVER[1:]]
    frames = passed_on(new_scanner(wants_usage=True), told)
    assert frames[-1]["choices"] == []
    assert frames[-1]["usage"] == {
        "prompt_tokens": 1_000,
        "completion_tokens": 2,
        "total_tokens": 1_002,
        "prompt_tokens_details": {"cached_tokens": 900},
    }
    assert "usage" not in passed_on(new_scanner(), told)[-1]


def test_the_first_count_of_an_answer_is_not_taken_for_all_of_it() -> None:
    scanner = new_scanner()
    passed_on(scanner, an.RIVER[:5])
    assert scanner.usage == Usage(8, None, None)
    assert not scanner.finished


def test_thoughts_are_reasoning_and_their_signature_is_not_told() -> None:
    thinking = [
        an.block_start(type="thinking", thinking=""),
        an.thought("hm"),
        an.block_delta(type="signature_delta", signature="c2ln"),
        an.block_stop(),
        an.block_start(1, type="redacted_thinking", data="eA=="),
        an.block_stop(1),
    ]
    frames = passed_on(new_scanner(), [an.start(), *thinking, *an.RIVER[1:]])
    assert (said(frames, "reasoning_content"), said(frames, "content")) == ("hm", " river ran")
    assert b"c2ln" not in json.dumps(frames).encode()


@pytest.mark.parametrize("stops", [True, False], ids=["blocks that end", "blocks left open"])
def test_calls_of_tools_and_their_arguments(stops: bool) -> None:
    told = [
        an.start(),
        an.block_start(0, **an.TOOL_USE),
        an.arguments("", 0),
        an.block_start(1, **{**an.TOOL_USE, "id": "toolu_2"}),
        an.arguments('{"q": ', 1),
        an.arguments("", 1),
        an.arguments("1}", 1),
        *([an.block_stop(0), an.block_stop(1)] if stops else []),
        an.block_start(2, **{**an.TOOL_USE, "id": "toolu_3", "input": {"q": 2}}),
        an.finish("tool_use"),
        an.STOP,
    ]
    frames = passed_on(new_scanner(), told)
    assert calls_of(frames) == {
        0: {"id": "toolu_1", "type": "function", "name": "look_up", "arguments": "{}"},
        1: {"id": "toolu_2", "type": "function", "name": "look_up", "arguments": '{"q": 1}'},
        2: {"id": "toolu_3", "type": "function", "name": "look_up", "arguments": '{"q": 2}'},
    }
    assert reasons(frames) == ["tool_calls"]


@pytest.mark.parametrize(
    ("reason", "told", "is_cut_off"),
    [
        ("end_turn", "stop", False),
        ("stop_sequence", "stop", False),
        ("max_tokens", "length", True),
        ("model_context_window_exceeded", "length", True),
        ("tool_use", "tool_calls", False),
        ("refusal", "content_filter", True),
        ("something_newer", "stop", False),
    ],
)
def test_why_an_answer_ended(reason: str, told: str, is_cut_off: bool) -> None:
    scanner = new_scanner()
    frames = passed_on(scanner, [*an.RIVER[:-2], an.finish(reason), an.STOP])
    assert (reasons(frames), scanner.cut_off) == ([told], is_cut_off)


def test_an_answer_that_finished_is_whole_without_its_last_event() -> None:
    scanner = new_scanner(wants_usage=True)
    frames = passed_on(scanner, an.RIVER[:-1])
    assert scanner.finished
    assert scanner.tail.endswith(b"data: [DONE]\n\n")
    assert frames[-1]["usage"]["completion_tokens"] == 2


def test_an_answer_that_ends_without_a_reason_is_not_finished() -> None:
    scanner = new_scanner()
    passed_on(scanner, [*an.RIVER[:5], an.STOP])
    assert (scanner.finished, scanner.tail) == (False, b"")


@pytest.mark.parametrize("at", [0, 1, 4, 7])
def test_an_error_is_told_with_the_status_that_it_should_have(at: int) -> None:
    scanner = new_scanner()
    raw = b"".join(map(an.event, [*an.RIVER[:at], an.failed(), *an.RIVER[at:]]))
    passed = scanner.feed(raw)
    assert (b"river" in passed, scanner.finished) == (at > 3, False)
    assert scanner.told_error is not None
    assert scanner.told_error["error"]["status"] == 529
    assert scanner.feed(an.event(an.text("more"))) == scanner.end() == b""


def test_so_is_one_that_comes_instead_of_a_stream() -> None:
    scanner = new_scanner()
    assert scanner.feed(json.dumps(an.failed("rate_limit_error")).encode()) + scanner.end() == b""
    assert scanner.told_error is not None
    assert scanner.told_error["error"]["status"] == 429


@pytest.mark.parametrize(
    "told",
    [
        [an.text("words first")],
        [an.start(), an.start()],
        [an.start(), an.arguments("{}")],
        [an.start(), an.block_start(), an.arguments("{}")],
        [an.finish()],
        [an.start(), an.finish(), an.text("after the end")],
        [an.start(), {"type": "content_block_start", "index": 0}],
        [an.start(), {"type": "content_block_delta", "index": 0, "delta": "text"}],
        [an.start(), an.block_delta(type="text_delta", text=7)],
        [{"type": "message_start"}],
    ],
)
def test_an_event_out_of_place_is_an_error(told: list[dict[str, Any]]) -> None:
    scanner = new_scanner()
    scanner.feed(b"".join(map(an.event, told)))
    assert (scanner.over, scanner.finished) == (True, False)
    assert scanner.error is not None


def test_what_is_newer_than_this_is_passed_over() -> None:
    new = [
        {"type": "content_block_thought_of_later"},
        an.block_start(1, type="server_tool_use", id="x", name="search"),
        an.block_delta(1, type="citations_delta", citation={}),
        an.block_stop(1),
    ]
    frames = passed_on(new_scanner(), [*an.RIVER[:4], *new, *an.RIVER[4:]])
    assert (said(frames, "content"), reasons(frames)) == (" river ran", ["stop"])


@pytest.mark.parametrize("raw", [b"data: {\n\n", b"data: 7\n\n", b"data: " + b"[" * 5000 + b"\n\n"])
def test_what_is_no_event_is_an_error(raw: bytes) -> None:
    scanner = new_scanner()
    scanner.feed(an.event(an.start()) + raw)
    assert scanner.error is not None


def test_an_event_without_an_end_is_not_kept_for_ever() -> None:
    scanner = new_scanner()
    piece = b"x" * 65_536
    for _ in range(LIMITS.frame_bytes_max // len(piece) + 1):
        scanner.feed(piece)
    assert scanner.over


def test_calls_without_end_are_an_error() -> None:
    scanner = new_scanner()
    for index in range(LIMITS.tool_calls_max + 1):
        scanner.feed(an.event(an.start()) if not index else b"")
        scanner.feed(an.event(an.block_start(index, **an.TOOL_USE)))
    assert scanner.over
