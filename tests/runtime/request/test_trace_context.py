"""A caller's trace is read as the W3C standard says, and no other text passes for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.request.trace_context import TraceContext

ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def test_a_parent() -> None:
    trace = TraceContext.parse(f"00-{ID}-{SPAN}-01".encode())
    assert trace == TraceContext(ID, SPAN, 1)
    assert trace is not None
    assert trace.header() == f"00-{ID}-{SPAN}-01".encode()


def test_a_later_version_may_say_more() -> None:
    assert TraceContext.parse(f"01-{ID}-{SPAN}-03-more".encode()) == TraceContext(ID, SPAN, 3)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        f"00-{ID}-{SPAN}",
        f"00-{ID}-{SPAN}-01-more",
        f"00-{ID}-{SPAN}-01-",
        f"00-{ID}-{SPAN}-1",
        f"00-{ID}-{SPAN}-011",
        f"00-{ID[1:]}-{SPAN}-01",
        f"00-{ID}0-{SPAN}-01",
        f"00-{ID}-{SPAN[1:]}-01",
        f"ff-{ID}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"00-{ID.upper()}-{SPAN}-01",
        f" 00-{ID}-{SPAN}-01",
        f"00-{ID}-{SPAN}-01\n",
        f"00_{ID}_{SPAN}_01",
        f"00-{'g' * 32}-{SPAN}-01",
        "x" * 16_000,
    ],
)
def test_what_is_none(text: str) -> None:
    assert TraceContext.parse(text.encode()) is None


@given(st.binary(max_size=80))
def test_whatever_is_taken_is_in_the_standards_form(text: bytes) -> None:
    trace = TraceContext.parse(text)
    if trace is not None:
        assert TraceContext.parse(trace.header()) == trace
