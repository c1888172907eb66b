from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.layout import Layout
from tests.models.published import layout_of

SIZES = st.integers(1, 16)


@given(tp=SIZES, dp=SIZES, pp=SIZES, ep=st.booleans())
def test_cards_are_the_product_of_the_sizes(tp: int, dp: int, pp: int, ep: bool) -> None:
    layout = Layout(tp, dp, pp, expert_parallel=ep)
    assert layout.cards == tp * dp * pp
    assert layout.experts_over * pp == layout.cards
    assert layout.ep == (tp * dp if ep else 1)
    assert (layout.nodes - 1) * layout.cards_per_node < layout.cards
    assert layout.cards <= layout.nodes * layout.cards_per_node


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        (Layout(1), "TP1"),
        (Layout(8, pp=2), "TP8·PP2"),
        (Layout(1, 16, expert_parallel=True), "TP1·DP16·EP"),
        (Layout(8, dcp=8), "TP8·DCP8"),
    ],
)
def test_its_text_names_what_is_not_one(layout: Layout, text: str) -> None:
    assert str(layout) == text
    assert layout_of(text) == layout
