"""How far each input moves the break-even when the others stay: the bars of a tornado.

The default spans are what those inputs were seen to do in public sources, not guesses at ours; a
measured theta brings its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from benchmarks.economics.api_price import TokenMix, value_usd_per_mtok
from benchmarks.economics.breakeven import break_even_mtok, break_even_utilization
from models.price_book import Price

HIT_HIGH = Decimal("0.563")


@dataclass(frozen=True, slots=True)
class Span:
    """``low`` and ``high`` are factors of the input; the hit share's are shares themselves."""

    low: Decimal
    high: Decimal
    why: str


CARD_PRICE = Span(
    Decimal("0.64"), Decimal("1.6"), "H100 rents of May 2026: 1.99 to 5.00 around 3.13"
)
THETA = Span(
    Decimal("0.8"), Decimal("1.2"), "DeepSeek's production decodes at 80 % of its benchmark"
)
API_PRICE = Span(Decimal("0.5"), Decimal(2), "list prices moved two- to fourfold within a year")
INPUT_PER_OUTPUT = Span(
    Decimal("0.5"), Decimal(2), "half and twice as long prompts, at the same theta"
)
CACHE_HIT = Span(Decimal(0), HIT_HIGH, "none, to the 56.3 % of DeepSeek's own fleet")


@dataclass(frozen=True, slots=True)
class Point:
    """All that a break-even follows from; ``api_factor`` scales the whole price list."""

    card_usd: Decimal
    theta: Decimal
    price: Price
    mix: TokenMix
    cards: int
    fixed_usd: Decimal
    api_factor: Decimal = Decimal(1)

    @property
    def value_usd(self) -> Decimal:
        return self.api_factor * value_usd_per_mtok(self.price, self.mix)

    @property
    def utilization(self) -> Decimal:
        return break_even_utilization(self.card_usd, self.theta, self.value_usd)

    @property
    def mtok(self) -> Decimal:
        return break_even_mtok(self.cards, self.card_usd, self.value_usd, self.fixed_usd)


@dataclass(frozen=True, slots=True)
class Bar:
    """One input at both ends of its span, and the break-even there."""

    name: str
    low: Decimal
    high: Decimal
    utilization_at_low: Decimal
    utilization_at_high: Decimal
    mtok_at_low: Decimal
    mtok_at_high: Decimal
    why: str

    @property
    def swing(self) -> Decimal:
        return abs(self.utilization_at_high - self.utilization_at_low)


def tornado(point: Point, theta_span: Span = THETA) -> tuple[Bar, ...]:
    """The bars of every input, the widest first."""
    hit = point.mix.cache_hit
    hit_ends = min(CACHE_HIT.low, hit), max(CACHE_HIT.high, hit)
    bars = (
        _bar("card price", CARD_PRICE, point.card_usd, lambda v: replace(point, card_usd=v)),
        _bar("theta", theta_span, point.theta, lambda v: replace(point, theta=v)),
        _bar("API price factor", API_PRICE, Decimal(1), lambda v: replace(point, api_factor=v)),
        _bar(
            "input per output",
            INPUT_PER_OUTPUT,
            point.mix.input_per_output,
            lambda v: replace(point, mix=TokenMix(v, hit)),
        ),
        _bar(
            "cache hit",
            Span(*hit_ends, CACHE_HIT.why),
            Decimal(1),
            lambda v: replace(point, mix=TokenMix(point.mix.input_per_output, v)),
        ),
    )
    return tuple(sorted(bars, key=lambda bar: bar.swing, reverse=True))


def band(bars: Sequence[Bar], of: Callable[[Bar], tuple[Decimal, Decimal]]) -> tuple[float, float]:
    """The span from the lowest end of any bar to the highest."""
    ends = [end for bar in bars for end in of(bar)]
    return float(min(ends)), float(max(ends))


def utilization_ends(bar: Bar) -> tuple[Decimal, Decimal]:
    return bar.utilization_at_low, bar.utilization_at_high


def mtok_ends(bar: Bar) -> tuple[Decimal, Decimal]:
    return bar.mtok_at_low, bar.mtok_at_high


def _bar(name: str, span: Span, base: Decimal, at: Callable[[Decimal], Point]) -> Bar:
    low, high = at(span.low * base), at(span.high * base)
    return Bar(
        name=name,
        low=span.low * base,
        high=span.high * base,
        utilization_at_low=low.utilization,
        utilization_at_high=high.utilization,
        mtok_at_low=low.mtok,
        mtok_at_high=high.mtok,
        why=span.why,
    )
