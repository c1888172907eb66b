"""Figures as people read them."""

from __future__ import annotations

from decimal import Decimal

from benchmarks.economics.hybrid import MonthlyBill
from models.money import NANO_PER_USD

SIGNIFICANT = 4


def percent(value: Decimal, digits: int = 0) -> str:
    return f"{100 * value:.{digits}f} %"


def monthly_usd(bill: MonthlyBill) -> str:
    return f"${bill.nano / NANO_PER_USD:,.0f}"


def figure(value: Decimal) -> str:
    """Some significant digits, and never an exponent."""
    places = max(0, SIGNIFICANT - 1 - value.adjusted()) if value else 0
    return f"{value:,.{places}f}"
