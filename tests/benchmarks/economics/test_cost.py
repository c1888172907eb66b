from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.economics.cost import (
    HOURS_PER_MONTH,
    HOURS_PER_YEAR,
    MTOK_PER_MONTH,
    card_hour,
    parse_card_hour,
    usd_per_mtok_blended,
    usd_per_mtok_output,
    usd_per_mtok_split,
)
from benchmarks.economics.input_checks import BadInput

POSITIVE = st.decimals("0.01", "10000", places=2)


def test_a_month_is_a_twelfth_of_a_year() -> None:
    assert HOURS_PER_MONTH * 12 == HOURS_PER_YEAR
    assert Decimal("2.628") == MTOK_PER_MONTH


def test_a_rent_is_what_it_is() -> None:
    card = parse_card_hour("2.0")
    assert card.parts == (("rent", 2_000_000_000),)
    assert card.usd == 2


def test_a_purchase_is_spread_over_its_life_and_powered() -> None:
    """$20.7k over 4 years is $0.59 an hour; 1.73 kW at $0.08 is $0.138."""
    card = parse_card_hour("capex=20700,years=4,kw=1.73,pue=1,kwh=0.08,colocation=0.1,staff=0.05")
    parts = {name: nano / 1e9 for name, nano in card.parts}
    assert parts == pytest.approx(
        {"capex": 0.59075, "colocation": 0.1, "staff": 0.05, "power": 0.1384}, abs=1e-4
    )
    assert float(card.usd) == pytest.approx(sum(parts.values()), rel=1e-12)
    assert card.as_json() == parts


def test_parts_are_rounded_up_to_a_nano_usd() -> None:
    assert card_hour({"capex": "1", "years": "1"}).nano_usd == 114_156  # 1e9 / 8760 = 114155.25


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("-2", "between 0 and"),
        ("0", "costs nothing"),
        ("two", "in digits with a point"),
        ("staff=1", "either rent or capex"),
        ("rent=1,capex=3,years=1", "either rent or capex"),
        ("capex=20000", "give both"),
        ("rent=1,years=2", "give both"),
        ("capex=20000,years=0", "above 0"),
        ("rent=1,kw=1", "all three"),
        ("rent=1,kw=1,pue=0.9,kwh=0.1", "at least what its cards draw"),
        ("rent=1,rent=2", "each part once"),
        ("rent=1,", "each part once"),
        ("rent=1,insurance=2", "no part 'insurance'"),
        ("rent=" + "1" * 300, "longer than"),
    ],
)
def test_a_price_that_makes_no_sense_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        parse_card_hour(text)


def test_the_worked_cost_of_a_token() -> None:
    """Published figures: InferenceX rows, and the fleet of DeepSeek's day 6."""
    assert float(usd_per_mtok_output(Decimal("1.60"), Decimal(791))) == pytest.approx(
        0.56, abs=0.01
    )
    assert float(usd_per_mtok_output(Decimal(2), Decimal(1532), Decimal("0.7"))) == pytest.approx(
        0.52, abs=0.005
    )


@given(POSITIVE, POSITIVE, st.decimals("0.01", "1", places=2))
def test_half_the_use_costs_twice(card: Decimal, tok_s: Decimal, used: Decimal) -> None:
    full = usd_per_mtok_output(card, tok_s)
    assert float(usd_per_mtok_output(card, tok_s, used) * used) == pytest.approx(float(full))
    assert usd_per_mtok_output(card, tok_s, used) >= full


@given(POSITIVE, st.decimals("0", "50", places=1))
def test_a_split_pays_for_all_of_it(output_usd: Decimal, ratio: Decimal) -> None:
    of_input, of_output = usd_per_mtok_split(output_usd, ratio)
    assert float(of_output + ratio * of_input) == pytest.approx(float(output_usd))
    assert float(of_output / of_input) == pytest.approx(4)
    blended = usd_per_mtok_blended(output_usd, ratio)
    assert float(blended * (1 + ratio)) == pytest.approx(float(output_usd))


@pytest.mark.parametrize(("tok_s", "used"), [("0", "1"), ("10", "0"), ("10", "1.1")])
def test_nothing_delivered_has_no_cost_per_token(tok_s: str, used: str) -> None:
    with pytest.raises(BadInput):
        usd_per_mtok_output(Decimal(2), Decimal(tok_s), Decimal(used))
