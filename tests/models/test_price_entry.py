"""Prices as files state them: tiers, batch prices, CNY with the exchange rate of a day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from models.price_book import BadPriceBook, load_price_book
from models.token_price import BatchPrice, ForeignList, Price, Rates, Tier

HEAD = "prices:\n  - {provider: p, model: m, effective_from: 2026-01-01, source: s, "
USD = 'input_usd_per_mtok: "2.00", output_usd_per_mtok: "4.00"'
CNY = 'input_cny_per_mtok: "8", cached_input_cny_per_mtok: "2", output_cny_per_mtok: "28"'
RATE = 'cny_per_usd: "7.25", cny_per_usd_of: 2026-06-01'


def read(tmp_path: Path, fields: str) -> Price:
    path = tmp_path / "prices.yaml"
    path.write_text(HEAD + fields + "}\n")
    (price,) = load_price_book(path).prices
    return price


def test_a_price_in_cny_is_one_in_usd_by_the_rate_of_its_day_rounded_up(tmp_path: Path) -> None:
    price = read(tmp_path, f"{CNY}, {RATE}")
    assert price.rates == Rates(1_103_449, 275_863, 3_862_069)
    listed = (Decimal(8), Decimal(2), Decimal(28))
    assert price.foreign == ForeignList("CNY", *listed, Decimal("7.25"), date(2026, 6, 1))
    assert price.terms.endswith("; CNY 8/2/28 at 7.25 per USD of 2026-06-01")
    assert price.cost_nano(1_000_000, 0, 0) == 1_103_449_000


def test_an_exact_conversion_is_not_rounded(tmp_path: Path) -> None:
    fields = CNY + ', cny_per_usd: "8", cny_per_usd_of: 2026-06-01'
    assert read(tmp_path, fields).rates == Rates(1_000_000, 250_000, 3_500_000)


def test_tiers_and_batch_prices_are_read(tmp_path: Path) -> None:
    tiers = f"tiers: [{{above_prompt_tokens: 1000, {USD}}}]"
    price = read(tmp_path, f'{USD}, cache_write_usd_per_mtok: "2.50", {tiers}, batch: {{{USD}}}')
    rates = Rates(2_000_000, None, 4_000_000)
    assert price.tiers == (Tier(1000, rates),)
    assert price.batch == BatchPrice(rates)
    assert price.cache_write_pico == 2_500_000


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        (f"{USD}, {CNY}, {RATE}", "in USD or in CNY, not in both"),
        (CNY, "needs cny_per_usd and its day"),
        (f"{USD}, {RATE}", "a price in USD has no cny_per_usd"),
        ('output_usd_per_mtok: "1"', "needs input_usd_per_mtok"),
        ('input_cny_per_mtok: "1"', "needs output_cny_per_mtok"),
        (f"{USD}, batch: {{{CNY}}}", "all of a price is in one currency"),
        (f'{CNY}, cny_per_usd: "0", cny_per_usd_of: 2026-06-01', "must be more than 0"),
        (f"{CNY}, cny_per_usd: 7.25, cny_per_usd_of: 2026-06-01", "as a quoted string"),
        (
            f"{USD}, tiers: [{{above_prompt_tokens: 9, {USD}}}, {{above_prompt_tokens: 9, {USD}}}]",
            "tiers rise: 9 stands after 9",
        ),
        (f"{USD}, tiers: [{{{USD}}}]", "tiers.0.above_prompt_tokens"),
        (f"{USD}, batch: {{colour: red}}", "batch.colour"),
    ],
)
def test_what_could_not_bill_exactly_is_refused(tmp_path: Path, fields: str, wrong: str) -> None:
    with pytest.raises(BadPriceBook) as caught:
        read(tmp_path, fields)
    assert wrong in str(caught.value)
