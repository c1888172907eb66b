"""What the tokens of a run cost: the formulas of ``benchmarks.economics``, on measured rates.

Only tokens that kept the SLO count as made; the cards cost the same whatever they deliver. What
was bought beside them has a price of its own, and is never mixed into theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from benchmarks.economics.cost import (
    usd_per_mtok_blended,
    usd_per_mtok_output,
    usd_per_mtok_split,
)

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of M tokens, in USD. ``output`` carries the whole cost; ``split`` shares it between
    output and input."""

    usd_per_mtok_output: float
    usd_per_mtok_blended: float
    usd_per_mtok_output_split: float
    usd_per_mtok_input_split: float


def cost(
    card_usd_per_h: Decimal | None, cards: int, good_tok_s: float, good_input_tok_s: float
) -> Cost | None:
    """None without a price, or where nothing good was delivered: no number stands for that."""
    if card_usd_per_h is None or good_tok_s <= 0:
        return None
    output_usd = usd_per_mtok_output(card_usd_per_h, Decimal(good_tok_s) / cards)
    input_per_output = Decimal(good_input_tok_s) / Decimal(good_tok_s)
    input_split, output_split = usd_per_mtok_split(output_usd, input_per_output)
    return Cost(
        usd_per_mtok_output=float(output_usd),
        usd_per_mtok_blended=float(usd_per_mtok_blended(output_usd, input_per_output)),
        usd_per_mtok_output_split=float(output_split),
        usd_per_mtok_input_split=float(input_split),
    )


def usd_per_mtok_all(
    card_usd_per_h: Decimal | None, cards: int, bought_usd_per_h: float | None, good_tok_s: float
) -> float | None:
    """Cards and purchases together, per M output tokens in time, wherever they were made. None
    where one of the two is unknown, or nothing came in time."""
    if card_usd_per_h is None or bought_usd_per_h is None or good_tok_s <= 0:
        return None
    usd_per_h = float(card_usd_per_h) * cards + bought_usd_per_h
    return usd_per_h / (good_tok_s * SECONDS_PER_HOUR) * 1e6
