from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load.run_cost import cost

TWO = Decimal(2)
RATES = st.floats(0.001, 1e7)


@given(RATES, RATES, st.integers(1, 512))
def test_cost_is_the_price_of_the_cards_over_what_came_in_time(
    output: float, inputs: float, cards: int
) -> None:
    found = cost(TWO, cards, output, inputs)
    assert found is not None
    per_hour = 2.0 * cards
    assert found.usd_per_mtok_output == pytest.approx(per_hour / (0.0036 * output))
    assert found.usd_per_mtok_blended == pytest.approx(per_hour / (0.0036 * (output + inputs)))
    both = found.usd_per_mtok_output_split * output + found.usd_per_mtok_input_split * inputs
    assert both * 0.0036 == pytest.approx(per_hour)


def test_half_the_use_is_twice_the_cost() -> None:
    full, half = cost(TWO, 1, 1000.0, 0.0), cost(TWO, 1, 500.0, 0.0)
    assert full is not None
    assert half is not None
    assert half.usd_per_mtok_output == pytest.approx(2 * full.usd_per_mtok_output)
    assert full.usd_per_mtok_output == pytest.approx(0.5556, rel=1e-3)


def test_what_is_unknown_has_no_cost() -> None:
    assert cost(None, 1, 1000.0, 1000.0) is None
    assert cost(TWO, 1, 0.0, 0.0) is None
