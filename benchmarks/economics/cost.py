"""What a card costs for an hour, fully loaded, and what a token then costs at a utilization.

A rent, or a purchase spread over the hours of its life, plus power, colocation, network and a
share of staff. Each part is rounded up to a nano-USD, once, so the parts add up exactly.

Cost per token divides by what was delivered, never by what a busy counter shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from benchmarks.economics.input_checks import BadInput, above_zero, number, priced, share
from models.money import NANO_PER_USD, NanoUsd, nano_usd_per_hour

HOURS_PER_YEAR = 8_760
HOURS_PER_MONTH = 730
MTOK_PER_HOUR = Decimal("0.0036")  # what 1 token/s makes
MTOK_PER_DAY = MTOK_PER_HOUR * 24
MTOK_PER_MONTH = MTOK_PER_HOUR * HOURS_PER_MONTH

CARD_PRICE_CHARS_MAX = 200

INPUT_COST_RATIO = Decimal(4)  # an output token takes about this many times an input token's work

_HOURLY = ("rent", "colocation", "network", "staff")  # as they are: USD per hour
_POWER = ("kw", "pue", "kwh")
_PARTS = (*_HOURLY, "capex", "years", *_POWER)
_EXAMPLE = "capex=20700,years=4,kw=1.2,pue=1.3,kwh=0.08,colocation=0.10,network=0.03,staff=0.12"


@dataclass(frozen=True, slots=True)
class CardHour:
    """The price of one card for one hour, by part."""

    parts: tuple[tuple[str, NanoUsd], ...]

    @property
    def nano_usd(self) -> NanoUsd:
        return sum(nano for _, nano in self.parts)

    @property
    def usd(self) -> Decimal:
        return Decimal(self.nano_usd) / NANO_PER_USD

    def as_json(self) -> dict[str, float]:
        return {name: nano / NANO_PER_USD for name, nano in self.parts}


def card_hour(parts: Mapping[str, str | Decimal]) -> CardHour:
    """``rent``, ``colocation``, ``network`` and ``staff`` are USD per hour; ``capex`` (USD) is
    spread over ``years``; ``kw`` of the card's share of its node times ``pue`` times ``kwh``.
    """
    if unknown := [name for name in parts if name not in _PARTS]:
        raise BadInput(f"card price: no part {unknown[0]!r:.40}; use {', '.join(_PARTS)}")
    if ("rent" in parts) == ("capex" in parts):
        raise BadInput("card price: give either rent or capex, the one that is paid")
    if ("capex" in parts) != ("years" in parts):
        raise BadInput("card price: capex and years belong together: give both")
    if 0 < sum(name in parts for name in _POWER) < len(_POWER):
        raise BadInput("card price: power needs kw, pue and kwh: give all three")
    found = [
        (name, priced(f"card price, {name}", parts[name], nano_usd_per_hour))
        for name in _HOURLY
        if name in parts
    ]
    if "capex" in parts:
        years = above_zero("card price, years", parts["years"])
        capex = above_zero("card price, capex", parts["capex"])
        found.insert(0, ("capex", nano_up(capex / (years * HOURS_PER_YEAR))))
    if "kw" in parts:
        kw, pue, kwh = (above_zero(f"card price, {name}", parts[name]) for name in _POWER)
        if pue < 1:
            raise BadInput(f"card price, pue {pue}: a site draws at least what its cards draw: 1")
        found.append(("power", nano_up(kw * pue * kwh)))
    made = CardHour(tuple(found))
    if made.nano_usd == 0:
        raise BadInput("card price 0: a card that costs nothing needs no break-even; give its cost")
    return made


def parse_card_hour(text: str) -> CardHour:
    """A rent, as in ``2.0``, or parts, as in ``rent=2.0,staff=0.1``."""
    if len(text) > CARD_PRICE_CHARS_MAX:
        raise BadInput(f"card price: longer than {CARD_PRICE_CHARS_MAX} characters")
    if "=" not in text:
        return card_hour({"rent": text.strip()})
    parts: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals or name.strip() in parts:
            raise BadInput(f"card price {part!r:.40}: give each part once, as in {_EXAMPLE}")
        parts[name.strip()] = value.strip()
    return card_hour(parts)


def usd_per_mtok_output(
    card: Decimal, tok_s: Decimal, utilization: Decimal = Decimal(1)
) -> Decimal:
    """The cost of M output tokens: ``card`` USD per card-hour, ``tok_s`` output per card, all cards
    counted.

    Output carries the whole cost, its input included.
    """
    used = share("utilization", utilization)
    delivered = above_zero("tok_s", tok_s) * above_zero("utilization", used)
    return number("card", card) / (MTOK_PER_HOUR * delivered)


def tok_s_of_both(prefill: Decimal, decode: Decimal, input_per_output: Decimal) -> Decimal:
    """Output tok/s of a card that reads prompts at one rate and makes answers at the other, in
    turn: what all cards give where those of each phase are as many as the mix needs.
    """
    return 1 / (input_per_output / prefill + 1 / decode)


def usd_per_mtok_blended(output_usd: Decimal, input_per_output: Decimal) -> Decimal:
    """The cost of M tokens of either kind, in USD."""
    return output_usd / (1 + input_per_output)


def usd_per_mtok_split(
    output_usd: Decimal, input_per_output: Decimal, ratio: Decimal = INPUT_COST_RATIO
) -> tuple[Decimal, Decimal]:
    """(of M input, of M output) when an output token costs ``ratio`` times an input token."""
    output = output_usd / (input_per_output / ratio + 1)
    return output / ratio, output


def nano_up(usd: Decimal) -> NanoUsd:
    """An amount in the ledger's unit, rounded up."""
    return int((usd * NANO_PER_USD).to_integral_value(ROUND_CEILING))
