"""What is read of every request's headers: bounded, and ignored where it is not what it claims."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.edge.request_headers import client_request_id, read_head, trace_context
from runtime.errors import HeaderTooLarge
from runtime.request_limits import LIMITS, refusals

TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("value", [b"a", b"req-1", b"{8-4-4}", b"x" * LIMITS.client_id_chars_max])
@pytest.mark.parametrize("name", [b"x-request-id", b"x-client-request-id"])
def test_a_callers_id_is_kept(name: bytes, value: bytes) -> None:
    assert client_request_id(read_head([(name, value)])) == value.decode()


def test_openais_name_for_it_comes_before_the_one_that_proxies_set() -> None:
    both = [(b"x-client-request-id", b"mine"), (b"x-request-id", b"a proxy's")]
    assert client_request_id(read_head(both)) == client_request_id(read_head(both[::-1])) == "mine"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"a b",
        b"a\tb",
        b"a\x7f",
        b"a\x1b[2J",
        "naïve".encode(),
        "求".encode(),
        b"x" * (LIMITS.client_id_chars_max + 1),
    ],
)
def test_what_can_be_no_name_in_a_log_is_ignored_and_counted(value: bytes) -> None:
    before = refusals["client_id_chars_max"]
    assert client_request_id(read_head([(b"x-request-id", value)])) is None
    assert refusals["client_id_chars_max"] == before + 1


def test_an_id_that_was_sent_twice_is_none() -> None:
    assert client_request_id(read_head([(b"x-request-id", b"a"), (b"x-request-id", b"b")])) is None
    assert client_request_id(read_head([])) is None


@given(st.binary(max_size=600))
def test_whatever_is_kept_is_one_visible_word(value: bytes) -> None:
    kept = client_request_id(read_head([(b"x-request-id", value)]))
    if kept is not None:
        assert kept.encode("ascii") == value
        assert kept.split() == [kept]


def test_a_trace_is_read_and_a_broken_one_is_counted() -> None:
    trace = trace_context(read_head([(b"traceparent", TRACE)]))
    assert trace is not None
    assert trace.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    before = refusals["traceparent"]
    assert trace_context(read_head([(b"traceparent", TRACE[:-1])])) is None
    assert trace_context(read_head([(b"traceparent", TRACE), (b"traceparent", TRACE)])) is None
    assert refusals["traceparent"] == before + 2
    assert trace_context(read_head([])) is None


def test_headers_have_a_size_and_a_number() -> None:
    most = [(b"a", b"x" * (LIMITS.header_bytes_max - 1))]
    assert read_head(most) == {}
    with pytest.raises(HeaderTooLarge, match=str(LIMITS.header_bytes_max)):
        read_head([*most, (b"b", b"")])
    assert read_head([(b"a", b"b")] * LIMITS.headers_max) == {}
    with pytest.raises(HeaderTooLarge, match=str(LIMITS.headers_max)):
        read_head([(b"a", b"b")] * (LIMITS.headers_max + 1))
    assert refusals["header_bytes_max"] >= 1
    assert refusals["headers_max"] >= 1
