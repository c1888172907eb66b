from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.money import (
    AMOUNT_USD_MAX,
    aligned_usd,
    ceil_nano,
    format_usd,
    nano_usd_per_hour,
    pico_usd_per_token,
    usd_per_mtok,
)

PICO_MAX = AMOUNT_USD_MAX * 10**6


def test_a_hundredth_of_a_cent_per_million_tokens_is_exact() -> None:
    assert pico_usd_per_token("0.0001") == 100
    assert pico_usd_per_token("0.000001") == 1
    assert pico_usd_per_token(Decimal("0.28")) == 280_000


@pytest.mark.parametrize(
    "price",
    [
        *("0.0000001", "0.28000000000000000000000000000000001", "1E-999999", "-0.1", "1000001"),
        *("NaN", "sNaN", "Infinity", "1E+999999", "", "free", "1,5", Decimal("-1")),
    ],
)
def test_a_price_that_is_not_a_plain_exact_amount_is_refused(price: str | Decimal) -> None:
    with pytest.raises(ValueError, match="USD per M tokens"):
        pico_usd_per_token(price)


@pytest.mark.parametrize("price", [0.1, 1, None, True])
def test_only_text_and_decimals_are_prices(price: Any) -> None:
    with pytest.raises(ValueError, match="quoted string"):
        pico_usd_per_token(price)


def test_an_hour_is_held_to_the_nano_dollar() -> None:
    assert nano_usd_per_hour("3.13") == 3_130_000_000
    assert nano_usd_per_hour("0.000000001") == 1
    with pytest.raises(ValueError, match="USD per hour"):
        nano_usd_per_hour("0.0000000001")


@given(st.integers(0, PICO_MAX))
def test_a_price_survives_the_way_to_list_price_and_back(pico: int) -> None:
    price = usd_per_mtok(pico)
    assert Fraction(price) == Fraction(pico, 10**6)
    assert pico_usd_per_token(price) == pico
    assert pico_usd_per_token(str(price)) == pico


@given(st.integers(0, 10**30))
def test_rounding_goes_up_by_less_than_one_unit(pico: int) -> None:
    assert 0 <= ceil_nano(pico) * 1000 - pico < 1000


def test_a_negative_amount_is_never_billed() -> None:
    with pytest.raises(ValueError, match="negative"):
        ceil_nano(-1)


@given(st.integers(-(10**24), 10**24))
def test_formatted_amounts_are_exact(nano: int) -> None:
    text = format_usd(nano)
    assert Fraction(text) == Fraction(nano, 10**9)
    assert len(text.partition(".")[2]) >= 2


def test_formatted_amounts_read_like_money() -> None:
    assert format_usd(0) == "0.00"
    assert format_usd(1_500_000_000) == "1.50"
    assert format_usd(-50_000_000) == "-0.05"
    assert format_usd(1) == "0.000000001"


def test_a_column_has_as_many_decimals_as_its_finest_amount() -> None:
    assert aligned_usd([5 * 10**9, 1_234, 50_000_000]) == [
        "5.000000000",
        "0.000001234",
        "0.050000000",
    ]
    assert aligned_usd([10**9, 2 * 10**9]) == ["1.00", "2.00"]
    assert aligned_usd([]) == []
