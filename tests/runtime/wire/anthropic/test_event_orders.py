"""Events in any order: one clean stream or an error, and a bill of what they said."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runtime.wire.anthropic import answers as an
from tests.runtime.wire.anthropic.reading import (
    calls_of,
    frames_of,
    new_scanner,
    reasons,
    said,
)

_INDEX = st.integers(0, 2)
_COUNT = st.integers(0, 10**6)
_EVENTS = st.one_of(
    st.builds(lambda i, c: an.start(input_tokens=i, cache_read_input_tokens=c), _COUNT, _COUNT),
    st.builds(an.block_start, _INDEX),
    st.builds(lambda index: an.block_start(index, **an.TOOL_USE), _INDEX),
    st.builds(an.text, st.text(max_size=4), _INDEX),
    st.builds(an.thought, st.text(max_size=4), _INDEX),
    st.builds(an.arguments, st.sampled_from(["", "{", '"a": 1}']), _INDEX),
    st.builds(an.block_stop, _INDEX),
    st.builds(
        lambda reason, count: an.finish(reason, output_tokens=count),
        st.sampled_from(["end_turn", "tool_use", "max_tokens", None]),
        _COUNT,
    ),
    st.just(an.PING),
    st.just(an.STOP),
    st.just(an.failed()),
    st.just({"type": "error"}),
    st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5)).map(
        lambda told: {"type": "content_block_delta", **told}
    ),
)


_BEGUN = st.lists(_EVENTS, max_size=10).map(lambda told: [an.start(), *told])
_STREAMS = st.one_of(st.lists(_EVENTS, max_size=14), _BEGUN, _BEGUN)


@settings(max_examples=400, deadline=None)
@given(_STREAMS, st.integers(1, 60), st.booleans())
def test_any_order_of_events_is_one_clean_stream_or_an_error(
    told: list[dict[str, Any]], size: int, wants_usage: bool
) -> None:
    scanner = new_scanner(wants_usage=wants_usage)
    raw = b"".join(an.event({"type": each["type"], **each}) for each in told)
    passed = b"".join(scanner.feed(raw[at : at + size]) for at in range(0, len(raw), size))
    frames = frames_of(passed + scanner.end() + scanner.tail)
    roles = [frame for frame in frames if said([frame], "role")]
    assert len(roles) <= 1
    if scanner.finished:
        assert (scanner.error, len(reasons(frames))) == (None, 1)
        assert scanner.tail.endswith(b"data: [DONE]\n\n")
        for call in calls_of(frames).values():
            assert call["arguments"]
    else:
        assert scanner.tail == b""
    before = told[: _index_of_the_end(told)]
    counts = [each["usage"]["output_tokens"] for each in before if each["type"] == "message_delta"]
    if scanner.usage is not None and scanner.finished:
        assert scanner.usage.completion_tokens == max(counts)
        (begun,) = [each for each in before if each["type"] == "message_start"]
        usage = begun["message"]["usage"]
        cached = usage.get("cache_read_input_tokens", 0)
        assert scanner.usage.prompt_tokens == usage["input_tokens"] + cached
        assert (scanner.usage.cached_tokens or 0) == cached


def _index_of_the_end(told: list[dict[str, Any]]) -> int:
    ends = [at for at, each in enumerate(told) if each["type"] == "message_stop"]
    return min(ends, default=len(told))
