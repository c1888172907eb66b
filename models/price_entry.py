"""One price as it stands in a file: in USD, or in CNY with the exchange rate of a day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from models.data_file import Entry
from models.money import PicoUsd, decimal_amount, pico_usd_per_token
from models.token_price import TIERS_MAX, BatchPrice, ForeignList, Price, Rates, Tier

PICO_PER_TOKEN_PER_MTOK = 1_000_000
CNY = "CNY"

_Text = Annotated[str, Field(min_length=1, max_length=200)]
_UsdPerMtok = Annotated[PicoUsd, BeforeValidator(pico_usd_per_token)]


def _cny_per_mtok(amount: Any) -> Decimal:
    return decimal_amount(amount, "CNY per M tokens")


def _cny_per_usd(amount: Any) -> Decimal:
    rate = decimal_amount(amount, "CNY per USD")
    if not rate:
        raise ValueError("CNY per USD must be more than 0")
    return rate


_CnyPerMtok = Annotated[Decimal, BeforeValidator(_cny_per_mtok)]


class _RatesEntry(Entry):
    """All in one currency."""

    input_usd_per_mtok: _UsdPerMtok | None = None
    cached_input_usd_per_mtok: _UsdPerMtok | None = None
    cache_write_usd_per_mtok: _UsdPerMtok | None = None
    output_usd_per_mtok: _UsdPerMtok | None = None
    input_cny_per_mtok: _CnyPerMtok | None = None
    cached_input_cny_per_mtok: _CnyPerMtok | None = None
    cache_write_cny_per_mtok: _CnyPerMtok | None = None
    output_cny_per_mtok: _CnyPerMtok | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        found = {"usd": set[str](), "cny": set[str]()}
        for name in ("input", "cached_input", "cache_write", "output"):
            for currency, names in found.items():
                if getattr(self, f"{name}_{currency}_per_mtok") is not None:
                    names.add(name)
        if found["usd"] and found["cny"]:
            raise ValueError("a price is in USD or in CNY, not in both")
        currency = "cny" if found["cny"] else "usd"
        for name in ("input", "output"):
            if name not in found[currency]:
                raise ValueError(f"needs {name}_{currency}_per_mtok")
        return self

    @property
    def is_cny(self) -> bool:
        return self.input_cny_per_mtok is not None

    def rates(self, cny_per_usd: Decimal | None) -> Rates:
        if cny_per_usd is None:
            listed = (
                self.input_usd_per_mtok,
                self.cached_input_usd_per_mtok,
                self.output_usd_per_mtok,
                self.cache_write_usd_per_mtok,
            )
        else:
            listed = (
                _pico_usd(self.input_cny_per_mtok, cny_per_usd),
                _pico_usd(self.cached_input_cny_per_mtok, cny_per_usd),
                _pico_usd(self.output_cny_per_mtok, cny_per_usd),
                _pico_usd(self.cache_write_cny_per_mtok, cny_per_usd),
            )
        fresh, cached, output, written = listed
        if fresh is None or output is None:
            raise ValueError("an entry is checked before its rates are asked for")
        return Rates(fresh, cached, output, written)


class _TierEntry(_RatesEntry):
    above_prompt_tokens: Annotated[int, Field(ge=1)]


_Tiers = Annotated[list[_TierEntry], Field(max_length=TIERS_MAX)]


class _BatchEntry(_RatesEntry):
    tiers: _Tiers = Field(default_factory=list)

    def price(self, cny_per_usd: Decimal | None) -> BatchPrice:
        return BatchPrice(self.rates(cny_per_usd), _tiers(self.tiers, cny_per_usd))


class PriceEntry(_RatesEntry):
    """``tiers`` replace all rates above so many tokens of prompt; ``batch`` is the same for work
    that may wait; ``checked`` is the last day on which its source showed it. ``cny_per_usd`` is the
    exchange rate, of the day ``cny_per_usd_of``."""

    provider: _Text
    model: _Text
    tiers: _Tiers = Field(default_factory=list)
    batch: _BatchEntry | None = None
    cny_per_usd: Annotated[Decimal, BeforeValidator(_cny_per_usd)] | None = None
    cny_per_usd_of: date | None = None
    effective_from: date
    effective_to: date | None = None
    checked: date | None = None
    source: _Text

    @model_validator(mode="after")
    def _one_currency(self) -> Self:
        batch = [] if self.batch is None else [self.batch, *self.batch.tiers]
        if any(each.is_cny != self.is_cny for each in (*self.tiers, *batch)):
            raise ValueError("all of a price is in one currency")
        rate = (self.cny_per_usd, self.cny_per_usd_of)
        if self.is_cny and None in rate:
            raise ValueError("a price in CNY needs cny_per_usd and its day, cny_per_usd_of")
        if not self.is_cny and rate != (None, None):
            raise ValueError("a price in USD has no cny_per_usd")
        for tiers in (self.tiers, [] if self.batch is None else self.batch.tiers):
            for lower, upper in pairwise(each.above_prompt_tokens for each in tiers):
                if upper <= lower:
                    raise ValueError(f"tiers rise: {upper} stands after {lower}")
        return self

    def price(self, prefix: str = "") -> Price:
        rate = self.cny_per_usd
        rates = self.rates(rate)
        return Price(
            price_id=f"{prefix}{self.provider}/{self.model}@{self.effective_from}",
            provider=self.provider,
            model=self.model,
            input_pico=rates.input_pico,
            cached_input_pico=rates.cached_input_pico,
            output_pico=rates.output_pico,
            effective_from=self.effective_from,
            effective_to=self.effective_to,
            source=self.source,
            cache_write_pico=rates.cache_write_pico,
            tiers=_tiers(self.tiers, rate),
            batch=self.batch.price(rate) if self.batch is not None else None,
            foreign=self._foreign(),
            as_of=self.checked or self.effective_from,
        )

    def _foreign(self) -> ForeignList | None:
        fresh, output = self.input_cny_per_mtok, self.output_cny_per_mtok
        rate, day = self.cny_per_usd, self.cny_per_usd_of
        if fresh is None or output is None or rate is None or day is None:
            return None
        return ForeignList(CNY, fresh, self.cached_input_cny_per_mtok, output, rate, day)


def _tiers(entries: list[_TierEntry], cny_per_usd: Decimal | None) -> tuple[Tier, ...]:
    return tuple(Tier(each.above_prompt_tokens, each.rates(cny_per_usd)) for each in entries)


def _pico_usd(cny_per_mtok: Decimal | None, cny_per_usd: Decimal) -> PicoUsd | None:
    """Rounded up, once: exchange rates leave more decimals than pico-USD has."""
    if cny_per_mtok is None:
        return None
    cny, per_usd = cny_per_mtok.as_integer_ratio(), cny_per_usd.as_integer_ratio()
    return -(-cny[0] * per_usd[1] * PICO_PER_TOKEN_PER_MTOK // (cny[1] * per_usd[0]))
