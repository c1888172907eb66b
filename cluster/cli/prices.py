"""`baseload prices`: what is known of vendors' prices, since when, and where sources differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from rich.table import Table

from cluster.cli import common_options
from cluster.cli.terminal import page
from cluster.cli.typer_options import option, takes
from cluster.profile import load
from models.package_prices import PACKAGE
from models.price_book import PriceBook, load_price_book
from models.price_comparison import Stated, differ, known_offers, stated
from models.token_price import Price, Rates, Tier, usd_text
from runtime.config import GatewayConfig
from runtime.targets.provider_accounts import utc_today

PAGE_COLUMNS = 140  # where stdout is no terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class PricesOptions:
    config: Path = common_options.config_file()
    every: bool = option("Every price that is known, of the file's offers or not.", False, "--all")
    model: str | None = option("Every price of models with this in their name.", None)
    as_json: bool = common_options.json_output()


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One model at one provider. ``served_as`` is the catalogue's name of an offer of the file.
    ``counts`` is what a request would be billed at today, None where that is unknown; ``others``
    are other sources' words, the nearest first."""

    provider: str
    model: str
    served_as: str | None
    counts: Stated | None
    others: tuple[Stated, ...]
    unknown: str | None

    @property
    def differing(self) -> list[Stated]:
        counts = self.counts
        if counts is None:
            return list(self.others)
        return [each for each in self.others if differ(counts.price, each.price)]


@takes(PricesOptions)
def prices(options: PricesOptions) -> None:
    """Print what the offers of a config file cost today, who says so, and how old that is.

    USD per million tokens. Nothing is asked of the network: prices are files and a package, each
    of its day.

    Example: baseload prices cluster/local.yaml

    Example: baseload prices --model glm-5 --json
    """
    config, today = load(options.config).routing, utc_today()
    book = config.price_book(load_price_book())
    rows = _rows(config, book, options, today)
    if options.as_json:
        print(json.dumps(_document(rows, today), indent=2))
        return
    out = page(PAGE_COLUMNS)
    if rows:
        out.print(_table(rows, today))
    else:
        out.print("no price of such a model is known" if options.model else "the file has no offer")
    for line in _notes(rows, today):
        out.print(line, soft_wrap=True)


def _rows(
    config: GatewayConfig, book: PriceBook, options: PricesOptions, today: date
) -> list[PriceRow]:
    offers = {
        (provider, offer.name): model
        for provider, account in config.providers.items()
        for model, offer in account.offers.items()
    }
    keys = dict.fromkeys(offers)
    if options.every or options.model is not None:
        keys |= dict.fromkeys(known_offers(book, today))
    if options.model is not None:
        part = options.model.lower()
        keys = {key: None for key in keys if part in f"{key[1]} {offers.get(key, '')}".lower()}
    return [_row(book, *key, offers.get(key), today) for key in sorted(keys)]


def _row(
    book: PriceBook, provider: str, model: str, served_as: str | None, today: date
) -> PriceRow:
    said = stated(book, provider, model, today)
    if book.price_at(provider, model, today) is None:
        why = book.why_unknown(provider, model, today)
        return PriceRow(provider, model, served_as, None, tuple(said), why)
    return PriceRow(provider, model, served_as, said[0], tuple(said[1:]), None)


def _table(rows: Sequence[PriceRow], today: date) -> Table:
    table = Table(box=None, title="USD per M tokens", title_justify="left")
    for name in ("offer", "serves"):
        table.add_column(name, overflow="fold")
    for name in ("input", "cached", "output"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("said by", "of", "besides"):
        table.add_column(name, overflow="fold")
    for row in rows:
        name, served = f"{row.provider}/{row.model}", row.served_as or ""
        if row.counts is None:
            table.add_row(name, served, "unknown", "", "", "", "", f"never bought: {row.unknown}")
            continue
        price = row.counts.price
        table.add_row(
            name,
            served,
            *_amounts(price.rates),
            row.counts.source,
            _age(row.counts, today),
            "; ".join(_besides(price)),
        )
    return table


def _amounts(rates: Rates) -> tuple[str, str, str]:
    return (
        usd_text(rates.input_pico),
        _or_none(rates.cached_input_pico),
        usd_text(rates.output_pico),
    )


def _or_none(pico: int | None) -> str:
    return "–" if pico is None else usd_text(pico)


def _age(said: Stated, today: date) -> str:
    days = said.age_days(today)
    return "day unknown" if days is None else f"{said.price.as_of}, {days} days ago"


def _besides(price: Price) -> Iterator[str]:
    if price.cache_write_pico is not None:
        yield f"cache write {usd_text(price.cache_write_pico)}"
    for tier in price.tiers:
        amounts = "/".join(_amounts(tier.rates))
        yield f"above {tier.above_prompt_tokens} tokens of prompt {amounts}"
    if price.batch is not None:
        yield f"batch {'/'.join(_amounts(price.batch.rates))}"
    if (foreign := price.foreign) is not None:
        rate = f"{foreign.units_per_usd:f} per USD of {foreign.rate_of}"
        listed = f"{foreign.input_per_mtok:f}/{foreign.output_per_mtok:f}"
        yield f"{foreign.currency} {listed} at {rate}"
    if price.effective_to is not None:
        yield f"ends {price.effective_to}"


def _notes(rows: Iterable[PriceRow], today: date) -> Iterator[str]:
    """Where a source says something else than the one that counts."""
    for row in rows:
        counts = row.counts.source if row.counts is not None else "none"
        for each in row.differing:
            amounts = "/".join(_amounts(each.price.rates))
            yield (
                f"differs    {row.provider}/{row.model}: {each.source} says {amounts} "
                f"({_age(each, today)}); {counts} counts"
            )


def _document(rows: Sequence[PriceRow], today: date) -> dict[str, Any]:
    released = PACKAGE.released
    return {
        "today": str(today),
        "package": {
            "name": PACKAGE.name,
            "released": None if released is None else str(released),
            "age_days": None if released is None else (today - released).days,
        },
        "prices": [_row_json(row, today) for row in rows],
    }


def _row_json(row: PriceRow, today: date) -> dict[str, Any]:
    return {
        "provider": row.provider,
        "model": row.model,
        "serves": row.served_as,
        "price": None if row.counts is None else _stated_json(row.counts, today),
        "why_unknown": row.unknown,
        "differs": [_stated_json(each, today) for each in row.differing],
    }


def _stated_json(said: Stated, today: date) -> dict[str, Any]:
    price, batch, foreign = said.price, said.price.batch, said.price.foreign
    return {
        "source": said.source,
        "says": price.source,
        "price_id": price.price_id,
        "as_of": None if price.as_of is None else str(price.as_of),
        "age_days": said.age_days(today),
        "effective_from": str(price.effective_from),
        "effective_to": None if price.effective_to is None else str(price.effective_to),
        **_rates_json(price.rates),
        "tiers": [_tier_json(each) for each in price.tiers],
        "batch": batch
        and {**_rates_json(batch.rates), "tiers": [_tier_json(each) for each in batch.tiers]},
        "listed": foreign
        and {
            "currency": foreign.currency,
            "input_per_mtok": str(foreign.input_per_mtok),
            "cached_input_per_mtok": foreign.cached_input_per_mtok
            and str(foreign.cached_input_per_mtok),
            "output_per_mtok": str(foreign.output_per_mtok),
            "per_usd": str(foreign.units_per_usd),
            "per_usd_of": str(foreign.rate_of),
        },
    }


def _tier_json(tier: Tier) -> dict[str, Any]:
    return {"above_prompt_tokens": tier.above_prompt_tokens, **_rates_json(tier.rates)}


def _rates_json(rates: Rates) -> dict[str, str | None]:
    named = {
        "input_usd_per_mtok": rates.input_pico,
        "cached_input_usd_per_mtok": rates.cached_input_pico,
        "cache_write_usd_per_mtok": rates.cache_write_pico,
        "output_usd_per_mtok": rates.output_pico,
    }
    return {name: None if pico is None else usd_text(pico) for name, pico in named.items()}
