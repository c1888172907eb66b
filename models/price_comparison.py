"""What each source says of an offer's price on a day, how old that is, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from models.package_prices import PackagePrices
from models.price_book import PriceBook, PriceSource
from models.token_price import Price


@dataclass(frozen=True, slots=True)
class Stated:
    """``source`` is a file's name, or the package with its release."""

    source: str
    price: Price

    def age_days(self, today: date) -> int | None:
        """Since the source was last known to be right; None where it does not tell."""
        return None if self.price.as_of is None else (today - self.price.as_of).days


def stated(source: PriceSource, provider: str, model: str, on: date) -> list[Stated]:
    """The word of every source that has one, from the top; the first is what counts, unless a
    file above it has ended the price."""
    found: list[Stated] = []
    below: PriceSource | None = source
    while below is not None:
        alone = below.over(None) if isinstance(below, PriceBook) else below
        price = alone.price_at(provider, model, on)
        if price is not None:
            found.append(Stated(below.name, price))
        below = below.below if isinstance(below, PriceBook) else None
    return found


def differ(one: Price, other: Price) -> bool:
    """Whether some request costs another sum at the other."""
    return (one.rates, one.tiers) != (other.rates, other.tiers)


def known_offers(source: PriceSource, on: date) -> list[tuple[str, str]]:
    """Every provider and model with a price that day, by name."""
    found: set[tuple[str, str]] = set()
    below: PriceSource | None = source
    while below is not None:
        if isinstance(below, PriceBook):
            found |= {(each.provider, each.model) for each in below.prices if each.stands_on(on)}
            below = below.below
        else:
            if isinstance(below, PackagePrices):
                found |= {(each.provider, each.model) for each in below.prices(on)}
            below = None
    return sorted(found)
