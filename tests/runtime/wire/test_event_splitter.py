"""Events come out whole, however their bytes were cut and whichever line ends they had."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.wire.event_splitter import EventSplitter

EVENTS = [b"event: a\ndata: {}\n\n", b": bye\n\n", b"\n\n", b"data: x\ndata: y\n\n"]
LINE_ENDS = [b"\n", b"\r\n", b"\r"]


@given(st.lists(st.sampled_from(EVENTS)), st.sampled_from(LINE_ENDS), st.data())
def test_events_are_the_same_however_they_are_cut(
    events: list[bytes], line_end: bytes, data: st.DataObject
) -> None:
    raw = b"".join(events).replace(b"\n", line_end)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    splitter = EventSplitter()
    found = [
        event
        for begin, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)
        for event in splitter.feed(raw[begin:end])
    ]
    assert b"".join(found) == b"".join(events)
    assert all(event.endswith(b"\n\n") and event.find(b"\n\n") == len(event) - 2 for event in found)
    assert splitter.held == b""
    assert splitter.end() == []


@pytest.mark.parametrize("line_end", LINE_ENDS)
@pytest.mark.parametrize("rest", [b"data: x", b"data: x\n"])
def test_the_last_event_may_lack_its_empty_line(line_end: bytes, rest: bytes) -> None:
    splitter = EventSplitter()
    assert splitter.feed((EVENTS[0] + rest).replace(b"\n", line_end)) == [EVENTS[0]]
    (last,) = splitter.end()
    assert last.rstrip(b"\n") == b"data: x"
    assert splitter.held.strip() == b""


def test_what_is_held_is_seen() -> None:
    splitter = EventSplitter()
    assert splitter.feed(b"data: {") == []
    assert splitter.held == b"data: {"
    assert splitter.feed(b"}\n") == []
    assert splitter.feed(b"\n") == [b"data: {}\n\n"]
