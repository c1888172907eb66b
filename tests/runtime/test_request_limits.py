from __future__ import annotations

from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from runtime.message_text import shown
from runtime.request_limits import LIMITS


def test_every_limit_is_a_positive_maximum() -> None:
    for field in fields(LIMITS):
        assert field.name.endswith("_max"), field.name
        assert getattr(LIMITS, field.name) > 0


@given(st.text(st.characters()))
def test_what_is_shown_is_short_printable_and_encodable(text: str) -> None:
    told = shown(text + "\ud800\x1b[0m")
    assert len(told) <= LIMITS.shown_chars_max + 1
    assert told.isprintable() or "�" in told
    told.encode()
