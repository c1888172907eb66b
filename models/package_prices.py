"""The prices of the package ``genai-prices``: the one file that imports it.

The package is data that was true on the day of its release: its means to update themselves are
never used, so nothing here asks the network. Reading it takes half a second and some 80 MB, so it
is imported when the first offer is asked for that no price file knows.

A price is taken only where it can bill exactly: of a model that is named, and not one that begins
like it; not where it depends on the time of day, or on more than tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.metadata import version
from typing import Any

from models.money import pico_usd_per_token
from models.token_price import TIERS_MAX, BatchPrice, Price, Rates, Tier

NAME = "genai-prices"
# The package does not say when it was released. Another version's day is unknown.
RELEASED = {"0.2.3": date(2026, 11, 10)}
BATCH = {"processing": "batch"}

# Names that the price files and catalogues of others use.
_SAME_PROVIDER = {
    "moonshot": "moonshotai",
    "novita-ai": "novita",
    "xai": "x-ai",
    "zhipu": "zhipuai",
}
_PREFIXES = {"fireworks": "accounts/fireworks/models/"}  # before names in requests
_NOT_EXACT = {
    "zhipuai": "genai-prices has its cheapest tier alone: write its price into a price file",
}
_RATES = ("input_mtok", "cache_read_mtok", "output_mtok", "cache_write_mtok")
# Paid beside tokens of prompt and answer, by whatever request: a bill without them is too small.
_BESIDES = {
    "requests_kcount": "it has a price per request",
    "output_reasoning_mtok": "its reasoning tokens have a price of their own",
    "output_citation_mtok": "its citations have a price of their own",
}
_DATED = re.compile(r"[-@:](20\d{2}-?\d{2}-?\d{2}|latest)")  # what may follow a model's name


class NotExact(ValueError):
    """Why no price can be taken from what the package has."""


@dataclass(frozen=True, slots=True)
class PackagePrices:
    """Knows what the installed package knows."""

    @property
    def name(self) -> str:
        return f"{NAME} {self.release}"

    @property
    def release(self) -> str:
        return _release()

    @property
    def released(self) -> date | None:
        """The day of which its prices are; None where the version is another than ours."""
        return RELEASED.get(self.release)

    def providers(self) -> set[str]:
        """Those of which it knows any price."""
        return {*_providers(), *_SAME_PROVIDER}

    def names(self, provider: str) -> set[str]:
        """The models of which it knows any price."""
        entry = _providers().get(_own_name(provider))
        return {str(model.id) for model in entry.models} if entry is not None else set()

    def price_at(self, provider: str, model: str, on: date) -> Price | None:
        """The price of that day, or None: an unknown price is never zero."""
        found = _found(provider, model)
        try:
            return None if found is None else self._of(found, provider, model, on)
        except NotExact:
            return None

    def why_not(self, provider: str, model: str, on: date) -> str | None:
        """Why there is no price of an offer on that day; None where the offer is not known."""
        found = _found(provider, model)
        try:
            if found is not None:
                self._of(found, provider, model, on)
        except NotExact as error:
            return str(error)
        return None

    def prices(self, on: date) -> Iterator[Price]:
        """All that can be used, by provider and model."""
        for provider, entry in sorted(_providers().items()):
            for model in sorted(str(model.id) for model in entry.models):
                if (price := self.price_at(provider, model, on)) is not None:
                    yield price

    def _of(self, found: Any, provider: str, model: str, on: date) -> Price:
        if (why := _NOT_EXACT.get(_own_name(provider))) is not None:
            raise NotExact(why)
        listed, first, end = _standing(found.prices, on)
        since = first or self.released or on
        rates, tiers = _rates(listed)
        return Price(
            price_id=f"{NAME}-{self.release}:{provider}/{model}@{since}",
            provider=provider,
            model=model,
            input_pico=rates.input_pico,
            cached_input_pico=rates.cached_input_pico,
            output_pico=rates.output_pico,
            effective_from=since,
            effective_to=end,
            source=f"{NAME} {self.release}, {found.id}",
            cache_write_pico=rates.cache_write_pico,
            tiers=tiers,
            batch=_batch(found, on),
            as_of=self.released,
        )


PACKAGE = PackagePrices()


@cache
def _release() -> str:
    return version(NAME)


@cache
def _providers() -> dict[str, Any]:
    from genai_prices.data import providers

    return {provider.id: provider for provider in providers}


def _own_name(provider: str) -> str:
    return _SAME_PROVIDER.get(provider, provider)


def _found(provider: str, model: str) -> Any:
    """The package's entry of the very model: what merely begins like it may be another one."""
    name = _own_name(provider)
    if name not in _providers():
        return None
    asked = model.removeprefix(_PREFIXES.get(name, "")).lower()
    named, others = _by_name(name)
    return named.get(asked) or next(
        (each for each in others if any(_fits(clause, asked) for clause in _clauses(each.match))),
        None,
    )


@cache
def _by_name(provider: str) -> tuple[dict[str, Any], list[Any]]:
    """A provider's models by their whole names in small letters; and those that have a pattern."""
    named: dict[str, Any] = {}
    others: list[Any] = []
    for model in _providers()[provider].models:
        clauses = _clauses(model.match)
        equals = [str(each.equals).lower() for each in clauses if hasattr(each, "equals")]
        for name in (str(model.id).lower(), *equals):
            named.setdefault(name, model)
        if len(equals) < len(clauses):
            others.append(model)
    return named, others


def _clauses(match: Any) -> Sequence[Any]:
    """Of an "or", as most models' match is one: others say too little of a whole name."""
    return match.or_ if hasattr(match, "or_") else (match,)


def _fits(clause: Any, name: str) -> bool:
    if hasattr(clause, "regex"):
        return bool(clause.is_match(name))
    if not hasattr(clause, "starts_with"):
        return False
    start = str(clause.starts_with).lower()
    rest = name.removeprefix(start)
    return name.startswith(start) and (not rest or bool(_DATED.fullmatch(rest)))


def _standing(prices: Any, on: date) -> tuple[Any, date | None, date | None]:
    """The prices of the day, their first day, and the day on which others begin."""
    if not isinstance(prices, list):
        return prices, None, None
    if any(hasattr(each.constraint, "start_time") for each in prices):
        raise NotExact("its price depends on the time of day: write one into a price file")
    starts = [each.constraint and each.constraint.start_date for each in prices]
    later = [start for start in starts if start is not None and start > on]
    for each, start in zip(reversed(prices), reversed(starts), strict=True):
        if start is None or start <= on:
            return each.prices, start, min(later, default=None)
    raise NotExact(f"its price begins on {min(later)}, and today is {on}")


def _rates(listed: Any) -> tuple[Rates, tuple[Tier, ...]]:
    priced = {name: value for name, value in vars(listed).items() if value is not None}
    for name, why in _BESIDES.items():
        if name in priced:
            raise NotExact(f"{why}: write one into a price file that bounds it")
    if not {"input_mtok", "output_mtok"} <= priced.keys():
        raise NotExact("it is not priced by tokens of prompt and answer")
    found = {name: priced.get(name) for name in _RATES}
    starts = {tier.start for value in found.values() for tier in getattr(value, "tiers", ())}
    if len(starts) > TIERS_MAX:
        raise NotExact(f"it has more than {TIERS_MAX} tiers")
    return _rates_above(found, 0), tuple(
        Tier(start, _rates_above(found, start)) for start in sorted(starts)
    )


def _rates_above(found: dict[str, Any], start: int) -> Rates:
    fresh, cached, output, written = (_pico(found[name], start) for name in _RATES)
    if fresh is None or output is None:
        raise NotExact("it is not priced by tokens of prompt and answer")
    return Rates(fresh, cached, output, written)


def _pico(value: Any, start: int) -> int | None:
    """The rate of prompts above ``start`` tokens, of which tiers begin there or before."""
    if hasattr(value, "tiers"):
        value = [value.base, *(tier.price for tier in value.tiers if tier.start <= start)][-1]
    try:
        return None if value is None else pico_usd_per_token(value)
    except ValueError as error:
        raise NotExact(str(error)) from None


def _batch(found: Any, on: date) -> BatchPrice | None:
    """The price where work waits for a batch: what the variant does not say is as usual."""
    for variant in found.price_variants or ():
        constraint = variant.constraint
        if variant.when != BATCH or hasattr(constraint, "start_time"):
            continue
        if constraint is not None and constraint.start_date > on:
            continue
        standard, _, _ = _standing(found.prices, on)
        both = {
            **vars(standard),
            **{k: v for k, v in vars(variant.prices).items() if v is not None},
        }
        return BatchPrice(*_rates(type(standard)(**both)))
    return None
