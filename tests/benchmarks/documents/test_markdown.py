from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.documents.markdown import paragraphs, plain, table


@given(st.text())
def test_plain_text_stays_in_its_cell(text: str) -> None:
    cell = plain(text)
    assert "\n" not in cell
    assert not re.search("<[A-Za-z/!?]", cell)
    assert cell.count("|") == cell.count("\\|")


def test_a_table_has_a_rule_for_each_column() -> None:
    lines = table(("a", "b", "c"), [["1", "2", "3"]], "lr").splitlines()
    assert lines == ["| a | b | c |", "| --- | --: | --: |", "| 1 | 2 | 3 |"]


def test_a_row_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="1 cells under 2 heads"):
        table(("a", "b"), [["1"]])


def test_empty_paragraphs_leave_no_gap() -> None:
    assert paragraphs("a", "", "b") == "a\n\nb"
