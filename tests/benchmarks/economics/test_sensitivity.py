from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from benchmarks.economics.api_price import TokenMix
from benchmarks.economics.sensitivity import (
    CARD_PRICE,
    Bar,
    Point,
    Span,
    band,
    mtok_ends,
    tornado,
    utilization_ends,
)
from tests.benchmarks.economics.example import api

POINT = Point(
    card_usd=Decimal(2),
    theta=Decimal(1072),
    price=api("0.28", "0.42", "0.028"),
    mix=TokenMix(Decimal(2), Decimal(0)),
    cards=64,
    fixed_usd=Decimal(0),
)


def bars(point: Point = POINT) -> dict[str, Bar]:
    return {bar.name: bar for bar in tornado(point)}


def test_there_is_a_bar_for_each_input_and_the_widest_comes_first() -> None:
    found = tornado(POINT)
    assert {bar.name for bar in found} == {
        *("card price", "theta", "API price factor", "input per output", "cache hit")
    }
    swings = [bar.swing for bar in found]
    assert swings == sorted(swings, reverse=True)


def test_each_end_is_the_formula_at_that_end() -> None:
    card = bars()["card price"]
    assert card.utilization_at_low == POINT.utilization * CARD_PRICE.low
    assert card.mtok_at_high == POINT.mtok * CARD_PRICE.high
    price = bars()["API price factor"]
    assert price.utilization_at_high == POINT.utilization / 2
    hit = bars()["cache hit"]
    assert hit.utilization_at_low == POINT.utilization
    value = Decimal("0.42") + 2 * (
        Decimal("0.437") * Decimal("0.28") + Decimal("0.563") * Decimal("0.028")
    )
    assert float(hit.utilization_at_high) == pytest.approx(
        float(2 / (Decimal("0.0036") * 1072 * value))
    )


def test_theta_moves_the_utilization_but_not_where_the_bills_meet() -> None:
    theta = bars()["theta"]
    assert theta.mtok_at_low == theta.mtok_at_high == POINT.mtok
    assert theta.utilization_at_low > POINT.utilization > theta.utilization_at_high


def test_a_measured_theta_brings_its_own_span() -> None:
    span = Span(Decimal("0.9"), Decimal("1.1"), "measured")
    theta = next(bar for bar in tornado(POINT, span) if bar.name == "theta")
    assert (theta.low, theta.high, theta.why) == (Decimal("964.8"), Decimal("1179.2"), "measured")


def test_without_a_discount_hits_move_nothing() -> None:
    assert bars(replace(POINT, price=api("0.28", "0.42")))["cache hit"].swing == 0


def test_a_hit_share_above_the_span_is_inside_its_bar() -> None:
    high = replace(POINT, mix=TokenMix(Decimal(2), Decimal("0.9")))
    bar = bars(high)["cache hit"]
    assert (bar.low, bar.high) == (Decimal(0), Decimal("0.9"))


def test_the_band_holds_every_bar() -> None:
    found = tornado(POINT)
    low, high = band(found, utilization_ends)
    assert (low, high) == (float(POINT.utilization) / 2, float(POINT.utilization) * 2)
    assert band(found, mtok_ends)[0] == pytest.approx(float(POINT.mtok) / 2)
