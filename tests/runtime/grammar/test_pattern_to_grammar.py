"""Found in a text, or matched by the whole of it: the same texts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.grammar.pattern_to_grammar import whole


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^a$", "^a$"),
        ("a", "^.*(?:a).*$"),
        ("^a", "^(?:a).*$"),
        ("a$", "^.*(?:a)$"),
        ("a|b", "^.*(?:a|b).*$"),
        ("^(a|b)", "^(?:(a|b)).*$"),
        ("^a|b", "^a|b"),
        ("a|b$", "a|b$"),
        ("^a$|^b$", "^a$|^b$"),
        ("a|^b|c", "a|^b|c"),
        ("(a$|b)c", "(a$|b)c"),
        (r"\^a\$", r"^.*(?:\^a\$).*$"),
        ("[$^]", "^.*(?:[$^]).*$"),
        ("[]$]x", "^.*(?:[]$]x).*$"),
        (r"[\]$]", r"^.*(?:[\]$]).*$"),
        ("^", "^(?:).*$"),
        ("$", "^.*(?:)$"),
        ("", "^.*(?:).*$"),
        ("[", "^.*(?:[).*$"),
    ],
)
def test_patterns_of_a_whole_text(pattern: str, expected: str) -> None:
    assert whole(pattern) == expected


PIECES = st.lists(
    st.sampled_from(["a", "b", "|", "^", "$", "(", ")", "[ab]", "[^$]", r"\$", r"\.", ".", "a*"]),
    max_size=8,
)


@given(PIECES, st.text("ab$.|^", max_size=6))
def test_no_text_is_let_through_in_which_it_is_not_found(pieces: list[str], text: str) -> None:
    pattern = "".join(pieces)
    try:
        found = re.search(pattern, text, re.ASCII)
    except re.error:
        return
    widened = whole(pattern)
    if re.fullmatch(widened, text):
        assert found
    if widened != pattern:
        assert bool(re.fullmatch(widened, text)) == bool(found)
