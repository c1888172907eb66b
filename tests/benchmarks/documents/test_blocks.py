from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.documents.blocks import BadBlocks, block, filled

LINES = st.lists(
    st.text(st.characters(exclude_characters="\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"))
)
TEXT = LINES.map("\n".join).filter(lambda text: "<!-- " not in text)


@given(TEXT, TEXT, TEXT, TEXT)
def test_only_what_stands_between_the_markers_changes(
    head: str, old: str, new: str, tail: str
) -> None:
    page = f"{head}\n{block('a', old)}\n{tail}"
    assert filled(page, {"a": new}) == f"{head}\n{block('a', new)}\n{tail}"


@given(TEXT, TEXT)
def test_filling_twice_changes_nothing(one: str, two: str) -> None:
    page = filled(f"{block('a', '')}\n\n{block('b', 'old')}", {"a": one, "b": two})
    assert filled(page, {"a": one, "b": two}) == page


def test_an_empty_body_leaves_the_markers_alone() -> None:
    empty = "<!-- begin a: written by make docs -->\n<!-- end a -->"
    assert filled(block("a", "something"), {"a": ""}) == empty
    assert filled(empty, {"a": "x"}) == empty.replace("-->\n<", "-->\nx\n<")


def test_a_marker_within_a_line_is_text() -> None:
    text = f"see `<!-- begin b: written by make docs -->`\n{block('a', '')}"
    assert filled(text, {"a": "x"}).count("begin b") == 1


def test_a_backslash_and_a_group_are_text() -> None:
    assert "\\1 \\g<0>" in filled(block("a", ""), {"a": "\\1 \\g<0>"})


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("<!-- begin a: written by make docs -->", "does not end"),
        ("<!-- end a -->", "ends without a beginning"),
        (f"{block('a', '')}\n<!-- end a -->", "ends without a beginning"),
        ("<!-- begin a: written by make docs -->\n<!-- end b -->", "a: begins and does not end"),
        (block("a", block("a", "")), "a: begins and does not end"),
        (f"{block('a', '')}\n{block('a', '')}", "twice"),
        (f"{block('a', '')}\n{block('b', '')}", "b: nothing is written there"),
        ("no block", "a: the page has no such block"),
    ],
)
def test_markers_that_do_not_fit_are_refused(page: str, says: str) -> None:
    with pytest.raises(BadBlocks, match=says):
        filled(page, {"a": "x"})
