"""However a stream comes apart, the same is passed on; and garbage passes nothing that lies."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.wire.reported_usage import Usage
from runtime.wire.sse import FrameScanner
from tests.runtime.wire.events import DONE, PLAIN, USAGE_FRAME, chunk, flowing, frame
from tests.runtime.wire.test_sse import ERROR_FRAMES

TEXTS = st.text(st.sampled_from('ab"\\\n\r中{}:') | st.characters(codec="utf-8"), max_size=12)
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[bytes], bytes, bool]:
    """Events with line ends of one kind each: comments and content, then the last finish reason;
    and whether its frame has words."""
    tight, kinds = draw(st.booleans()), draw(st.sampled_from([LINE_ENDS, st.just("\n")]))
    body: list[bytes] = []
    for text in draw(st.lists(TEXTS, max_size=6)):
        if draw(st.booleans()):
            body.append(b": ping" + 2 * draw(kinds).encode())
        body.append(frame(chunk(text), 2 * draw(kinds), tight))
    text = draw(TEXTS)
    return body, frame(chunk(text, "stop"), 2 * draw(kinds), tight), text != ""


def plain(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("cr", ["\r", "\r\r"])
def test_no_event_hides_behind_a_bare_cr(alike: bool, cr: str) -> None:
    scanner = flowing()
    if alike:
        assert scanner.feed(PLAIN) == PLAIN  # learned
    hidden = PLAIN.replace(b'"a"', f'"b{cr}data: [DONE]{cr}data: x"'.encode())
    assert scanner.feed(hidden) == b""
    assert (scanner.error is not None, scanner.finished) == (True, False)


def test_a_line_end_in_two_pieces_with_nothing_between_is_one() -> None:
    scanner = flowing()
    pieces = [PLAIN[:-2] + b"\r", b"", b"\n\r\n", PLAIN]
    assert b"".join(map(scanner.feed, pieces)) == PLAIN * 2


@given(streams(), st.booleans(), st.sampled_from([DONE, DONE[:-1], DONE[:-2], b""]), st.data())
def test_no_split_changes_what_is_passed(
    stream: tuple[list[bytes], bytes, bool], wants_usage: bool, done: bytes, data: st.DataObject
) -> None:
    body, last, ends_with_words = stream
    raw = b"".join([*body, last, USAGE_FRAME, done])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=30)))
    scanner = FrameScanner(wants_usage=wants_usage)
    passed = b"".join(
        scanner.feed(raw[a:b]) for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)
    )
    assert passed + scanner.end() == plain(b"".join(body))
    assert scanner.tail == plain(last) + (USAGE_FRAME if wants_usage else b"") + DONE
    contents = [json.loads(each[6:]) for each in map(plain, body) if each.startswith(b"data")]
    texts = [each["choices"][0]["delta"]["content"] for each in contents]
    first = next((n for n, text in enumerate(texts) if text), len(texts))
    assert scanner.frames == len(texts) - first + ends_with_words
    assert scanner.usage == Usage(9, None, 3, None, 12)
    assert scanner.finished
    assert scanner.over == bool(done)


@given(st.lists(st.binary(max_size=40) | st.sampled_from([*ERROR_FRAMES, DONE, USAGE_FRAME])))
def test_garbage_never_raises_and_never_passes_done(chunks: list[bytes]) -> None:
    scanner = FrameScanner()
    passed = b"".join(map(scanner.feed, chunks))
    assert b"\n" + DONE not in b"\n" + passed
