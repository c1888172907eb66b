from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import BaseloadError, BodyTooLarge
from runtime.request_limits import LIMITS, refusals
from runtime.wire.json_body import decode
from runtime.wire.parse_request import parse_chat, parse_completion
from tests.runtime.wire.bodies import (
    USER,
    chat,
    refused,
    sent,
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b'"x"',
        b"{",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":1.' + b"3" * 5000 + b"}",
        b'{"a":[' + b"1.5," * 5000 + b"1]}",
        b'{"a":' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"a":' * 100_000,
        b'{"a":[' + b"{}," * 100_000 + b"{}]}",
        b'{"a":["[",' + b"[]," * 100_000 + b"[]]}",
        b'{"a":[' + b"1," * 400_000 + b"1]}",
        b"[" * 30_000 + b'"' + b'\\"' * 900_000 + b"\\",
        json.dumps({str(i): 1 for i in range(2000)}).encode(),
        b'\xef\xbb\xbf{"model":"m"}',
    ],
)
def test_what_is_not_strict_json_is_refused(body: bytes) -> None:
    assert not refused(lambda: parse_chat(body)).param


def test_the_text_may_hold_as_many_brackets_as_it_likes() -> None:
    text = "[" * LIMITS.json_lists_max + '\\"[{' * 500 + "," * LIMITS.json_items_max
    assert (
        sent(chat(messages=[{"role": "user", "content": text}]))["messages"][0]["content"] == text
    )


NESTS = {
    "objects": (b'{"a":', b"1", b"}"),
    "lists": (b"[", b"", b"]"),
    "both": (b'[{"a":', b"1", b"}]"),
}


@pytest.mark.parametrize("text", [b"", b"{[" * 40])
@pytest.mark.parametrize("kind", NESTS)
def test_what_is_nested_too_deep_is_refused_at_that_level(kind: str, text: bytes) -> None:
    """Whether or not a text beside it holds brackets."""
    begin, inner, end = NESTS[kind]
    levels = begin.count(b"[") + begin.count(b"{")
    times = (LIMITS.json_depth_max - 1) // levels

    def nested(times: int) -> bytes:
        return b'{"text":"' + text + b'","a":' + begin * times + inner + end * times + b"}"

    assert decode(nested(times))["text"] == text.decode()
    before = refusals["json_depth_max"]
    assert "nested deeper" in refused(lambda: decode(nested(times + 1))).message
    assert refusals["json_depth_max"] == before + 1


def test_a_key_given_twice_is_named() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"a","role":"system"}]}'
    error = refused(lambda: parse_chat(body))
    assert error.param == "role"
    assert "twice" in error.message


def test_a_body_over_the_limit_is_not_read() -> None:
    before = refusals["body_bytes_max"]
    refused(lambda: parse_chat(b" " * (LIMITS.body_bytes_max + 1)), BodyTooLarge)
    assert refusals["body_bytes_max"] == before + 1


@given(st.binary(max_size=200))
def test_bytes_that_are_anything(body: bytes) -> None:
    for parse in (parse_chat, parse_completion):
        with pytest.raises(BaseloadError):
            parse(body)


COSTLY: list[bytes] = [
    b'{"model":"m","prompt":[' + b"1," * 299_000 + b"1]}",
    b'{"model":"m","prompt":[' + b"[]," * 690_000 + b"[]]}",
    b'{"a":[' + b"1e308," * 330_000 + b"1]}",
    b'{"a":[' + b",".join([b"9" * 4299] * 480) + b"]}",
    b'{"a":' + b"[" * 2_000_000,
    json.dumps({"model": "m", "messages": [{str(i): 1 for i in range(900)}] * 180}).encode(),
    json.dumps(
        {
            "model": "m",
            "messages": USER,
            "tools": [
                {"type": "function", "function": {"name": "f", "parameters": {"a": [0] * 20_000}}}
            ]
            * 30,
        }
    ).encode(),
]


@pytest.mark.parametrize("body", COSTLY, ids=range(len(COSTLY)))
def test_no_body_costs_more_than_a_blink(body: bytes) -> None:
    """The promise is 50 ms on an idle core; the bound here only tells linear from runaway."""
    assert len(body) <= LIMITS.body_bytes_max
    for parse in (parse_chat, parse_completion):
        begun = time.process_time()
        with pytest.raises(BaseloadError):
            parse(body)
        assert time.process_time() - begun < 0.3
