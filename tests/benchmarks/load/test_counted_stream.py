"""Counting says the same of an answer as reading it, however its bytes are cut."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import cast

from aiohttp import StreamReader
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load.counted_stream import TAIL_READS, CountedStream
from benchmarks.load.stream import Counters, Stream
from benchmarks.rig.scripted_upstream import frames

TOKENS = 9
ANSWER = b"".join(frames(TOKENS))
EXTRA_EVENTS = 4  # role, finish reason, usage, [DONE]


class Parts:
    """An answer that comes in these reads, one per second; an empty one ends it."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = [*parts, b""]
        self.now_s = -1.0

    async def readany(self) -> bytes:
        self.now_s += 1.0
        return self._parts[int(self.now_s)]


def read(stream: Stream, parts: list[bytes]) -> Stream:
    content, counters = Parts(parts), Counters()
    asyncio.run(stream.read(cast(StreamReader, content), counters, lambda: content.now_s))
    assert counters == Counters(stream.events, len(parts))
    return stream


def test_an_answer_an_event_at_a_time() -> None:
    counted, whole = read(CountedStream(), frames(TOKENS)), read(Stream(), frames(TOKENS))
    assert counted.events == TOKENS + EXTRA_EVENTS
    assert whole.events == TOKENS
    assert counted.usage == whole.usage is not None
    assert counted.is_done
    assert counted.failure is None
    assert (counted.first_s, counted.last_s) == (0.0, TOKENS + EXTRA_EVENTS)
    assert len(counted.gaps_ms) == 0


LARGE = st.integers(len(ANSWER) - 450, len(ANSWER))


@given(st.sets(LARGE, max_size=TAIL_READS - 2), st.sets(st.integers(1, len(ANSWER) - 451)))
def test_wherever_it_is_cut_before_the_last_reads(late: set[int], early: set[int]) -> None:
    cuts = [0, *sorted(early | late), len(ANSWER)]
    parts = [ANSWER[a:b] for a, b in pairwise(cuts) if a < b]
    counted = read(CountedStream(), parts)
    assert counted.is_done
    assert counted.usage is not None
    assert counted.usage.output_tokens == TOKENS
    assert counted.events <= TOKENS + EXTRA_EVENTS


def test_the_rest_of_an_event_that_was_cut_is_no_event() -> None:
    """The last reads begin within a token's text, which looks like the beginning of an event."""
    event = b'data: {"choices": [{"index": 0, "delta": {"content": "data: x"}}]}\n\n'
    at = event.rindex(b"data:")
    rest = [event[at:], *frames(TOKENS)[-TAIL_READS + 1 :]]
    counted = read(CountedStream(), [event[:at], *rest])
    assert counted.failure is None
    assert counted.is_done


def test_an_answer_that_breaks_off_is_not_done() -> None:
    counted = read(CountedStream(), frames(TOKENS)[:-2])
    assert not counted.is_done
    assert counted.usage is None
    assert read(CountedStream(), []).first_s is None


def test_an_error_in_its_end_is_a_failure() -> None:
    parts = [*frames(TOKENS)[:-3], b'data: {"error": "no room"}\n\n', b"data: [DONE]\n\n"]
    assert "no room" in (read(CountedStream(), parts).failure or "")
