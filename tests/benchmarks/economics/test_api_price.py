from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.economics.api_price import (
    TokenMix,
    find_price,
    given_price,
    is_same_model,
    value_usd_per_mtok,
)
from benchmarks.economics.input_checks import BadInput
from models.price_book import load_price_book
from tests.benchmarks.economics.example import api

SHARES = st.decimals("0", "1", places=2)
DAY = date(2026, 1, 1)


def value(
    input_usd: str, output_usd: str, cached: str | None = None, r: str = "2", h: str = "0"
) -> float:
    mix = TokenMix(Decimal(r), Decimal(h))
    return float(value_usd_per_mtok(api(input_usd, output_usd, cached), mix))


def test_the_worked_values() -> None:
    assert value("0.30", "1.20") == 1.80
    assert value("0.28", "0.42") == 0.98
    assert value("0.14", "0.28") == 0.56
    assert value("5", "25") == 35.0
    assert value("0.28", "0.42", r="1") == 0.70
    assert value("0.28", "0.42", "0.028", "3.62", "0.563") == pytest.approx(0.92, abs=0.001)


@given(SHARES, SHARES)
def test_a_hit_never_costs_more_and_without_a_discount_changes_nothing(
    one: Decimal, other: Decimal
) -> None:
    low, high = sorted((one, other))
    assert value("0.28", "0.42", "0.028", h=str(high)) <= value("0.28", "0.42", "0.028", h=str(low))
    assert value("0.28", "0.42", None, h=str(high)) == 0.98


@pytest.mark.parametrize(
    ("input_usd", "output_usd", "cached", "says"),
    [
        (None, "1", None, "input price is missing"),
        ("1", None, None, "output price is missing"),
        (None, None, "1", "input price is missing"),
        ("-1", "1", None, "API input price: .*between 0 and"),
        ("1", "x", None, "API output price: write USD per M tokens in digits"),
        ("1", "1", "2", "are they swapped"),
    ],
)
def test_an_unknown_price_is_refused_and_never_zero(
    input_usd: str | None, output_usd: str | None, cached: str | None, says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        given_price(input_usd, output_usd, cached, DAY)


def test_what_is_free_cannot_be_beaten() -> None:
    with pytest.raises(BadInput, match="is free"):
        value("0", "0")
    with pytest.raises(BadInput, match="is free"):
        value("1", "0", r="0")


@pytest.mark.parametrize(("r", "h"), [("-1", "0"), ("1", "-0.1"), ("1", "1.1")])
def test_a_mix_has_a_range(r: str, h: str) -> None:
    with pytest.raises(BadInput):
        TokenMix(Decimal(r), Decimal(h))


def test_a_price_of_the_book_is_found_by_its_id() -> None:
    book = load_price_book()
    found = find_price(book, "deepseek/deepseek-chat@2025-09-29")
    mix = TokenMix(Decimal(2), Decimal("0.5"))
    assert value_usd_per_mtok(found, mix) == Decimal("0.728")
    with pytest.raises(BadInput, match="deepseek/deepseek-chat@2025-09-29"):
        find_price(book, "deepseek/deepseek-chat")


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("deepseek-v3.2", "deepseek-ai/DeepSeek-V3.2", True),
        ("glm-5", "zai/glm-5", True),
        ("deepseek-v3", "deepseek-v3.2", False),
        ("tiny-moe", "deepseek-chat", False),
    ],
)
def test_names_of_one_model_are_known_as_such(one: str, other: str, is_same: bool) -> None:
    assert is_same_model(one, other) is is_same
