from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load import stream as module
from benchmarks.load.stream import Stream, Usage
from tests.benchmarks.load.scripted import choice, event, text

OPENING = choice(role="assistant", content="")
USAGE = {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 3}}
ENDING = {"choices": [{"delta": {"content": ""}, "finish_reason": "length"}]}
WHOLE = b"".join(
    [event(OPENING), *[event(choice(content="a"))] * 3, event(ENDING), event(USAGE)]
) + (b": a comment\n\ndata: [DONE]\n\n")


def fed(*parts: bytes) -> Stream:
    stream = Stream()
    for number, part in enumerate(parts):
        stream.feed(part, float(number))
    return stream


def test_an_answer_in_one_read_has_all_its_tokens() -> None:
    stream = fed(WHOLE)
    assert stream.is_done
    assert stream.failure is None
    assert list(stream.gaps_ms) == [0.0, 0.0]
    assert stream.usage == Usage(11, 3, None)


@given(st.lists(st.integers(1, len(WHOLE) - 1), max_size=8))
def test_it_does_not_matter_where_reads_are_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(WHOLE)]
    stream = fed(*(WHOLE[a:b] for a, b in pairwise(edges)))
    assert (stream.is_done, len(stream.gaps_ms), stream.usage) == (True, 2, Usage(11, 3, None))


def test_times_are_those_of_the_tokens_alone() -> None:
    stream = fed(event(OPENING), *[event(choice(content="a"))] * 3, event(ENDING))
    assert (stream.first_s, stream.last_s) == (1.0, 3.0)
    assert list(stream.gaps_ms) == [1000.0, 1000.0]


@pytest.mark.parametrize(
    ("content", "tokens"),
    [
        (choice(content="a"), 1),
        (choice(content=""), 1),  # bytes that are no character yet
        (choice(reasoning_content="a"), 1),
        (choice(role="assistant", content="a"), 1),
        (OPENING, 0),
        (ENDING, 0),
        (USAGE, 0),
        (text("a"), 1),
        (text(""), 1),
        ({"choices": [{"text": "", "finish_reason": "stop"}]}, 0),
        ({"choices": [{"delta": {}}]}, 0),
        ({"choices": None}, 0),
        ({"choices": ["odd"]}, 0),
    ],
)
def test_what_carries_a_token(content: dict[str, Any], tokens: int) -> None:
    assert Stream().feed(event(content), 0.0) == tokens


def test_carriage_returns_are_no_part_of_it() -> None:
    assert fed(WHOLE.replace(b"\n", b"\r\n")).is_done


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"data: {cut\n\n", "no JSON object"),
        (b"data: []\n\n", "no JSON object"),
        (b'data: {"error": {"message": "overloaded"}}\n\n', "overloaded"),
    ],
)
def test_a_bad_event_says_why(line: bytes, why: str) -> None:
    assert why in (fed(line).failure or "")


@pytest.mark.parametrize(
    ("details", "cached"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 4}}, 4),
        ({"prompt_tokens_details": None}, None),
        ({"prompt_cache_hit_tokens": 6}, 6),
        ({"prompt_tokens_details": {"cached_tokens": "4"}}, None),
    ],
)
def test_cached_tokens_in_each_form(details: dict[str, Any], cached: int | None) -> None:
    told = {"usage": {"prompt_tokens": 9, "completion_tokens": 1} | details}
    assert fed(event(told)).usage == Usage(9, 1, cached)


@pytest.mark.parametrize("told", ["many", {"prompt_tokens": "9"}, {"prompt_tokens": 9}])
def test_usage_that_is_none(told: Any) -> None:
    assert fed(event({"usage": told})).usage is None


def test_what_is_kept_of_a_long_answer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GAPS_MAX", 2)
    stream = fed(*[event(choice(content="a"))] * 6)
    assert (len(stream.gaps_ms), stream.gaps_lost, stream.last_s) == (2, 3, 5.0)
    monkeypatch.setattr(module, "EVENT_BYTES_MAX", 10)
    assert "more than 10 bytes" in (fed(b"data: " + b"x" * 20).failure or "")
