from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from benchmarks.economics.input_checks import (
    BadInput,
    above_zero,
    not_negative,
    number,
    priced,
    share,
    whole,
)
from models.money import nano_usd_per_hour


@pytest.mark.parametrize(
    "text", ["", "two", "nan", "inf", "1e16", "-1e16", "0" * 40 + "5", f"1.{'0' * 36}e10"]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="theta"):
        number("theta", text)


@pytest.mark.parametrize(
    ("check", "bad", "good"),
    [(above_zero, "0", "0.1"), (not_negative, "-0.1", "0"), (share, "1.01", "1")],
)
def test_ranges(check: Callable[[str, str], Decimal], bad: str, good: str) -> None:
    assert check("h", good) == Decimal(good)
    with pytest.raises(BadInput, match="h "):
        check("h", bad)


def test_counts_have_a_limit() -> None:
    assert whole("cards", 5, 5) == 5
    for count in (0, 6):
        with pytest.raises(BadInput, match="from 1 to 5"):
            whole("cards", count, 5)


def test_a_refused_price_says_which() -> None:
    assert priced("rent", "2.5", nano_usd_per_hour) == 2_500_000_000
    with pytest.raises(BadInput, match=r"^rent: .*between 0 and"):
        priced("rent", "-1", nano_usd_per_hour)
