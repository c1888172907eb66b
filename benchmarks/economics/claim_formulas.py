"""The formula behind each published claim, and what would have to be true for it to hold.

Each takes a claim's inputs by name and gives the figure; its companion puts the arithmetic into
words. No result is typed in: the words are made from computed numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from benchmarks.economics.breakeven import break_even_mtok
from benchmarks.economics.cost import (
    MTOK_PER_DAY,
    MTOK_PER_HOUR,
    MTOK_PER_MONTH,
    tok_s_of_both,
    usd_per_mtok_blended,
    usd_per_mtok_output,
)
from benchmarks.economics.format_figures import percent

TOKENS_PER_MTOK = 1_000_000


@dataclass(frozen=True, slots=True)
class Tier:
    """A share of the traffic at one model's list price."""

    name: str
    share: Decimal
    input_usd: Decimal
    output_usd: Decimal


@dataclass(frozen=True, slots=True)
class Facts:
    values: Mapping[str, Decimal]
    tiers: Sequence[Tier]

    def __getitem__(self, name: str) -> Decimal:
        return self.values[name]


Compute: TypeAlias = Callable[[Facts], Decimal]
Explain: TypeAlias = Callable[[Facts, Decimal], str]


@dataclass(frozen=True, slots=True)
class Formula:
    """``shown`` is the arithmetic as people write it; ``explain`` takes the published figure."""

    shown: str
    compute: Compute
    explain: Explain


def _cost(facts: Facts) -> Decimal:
    return usd_per_mtok_output(facts["usd_per_card_hour"], _delivered(facts))


def _delivered(facts: Facts) -> Decimal:
    """Output tok/s per card of the whole fleet: what was served, so utilization is in it."""
    per_s = facts["output_mtok_per_day"] / MTOK_PER_DAY
    return per_s / (facts["nodes"] * facts["cards_per_node"])


def _explain_cost(facts: Facts, published: Decimal) -> str:
    per_node = facts["cards_per_node"]
    card, delivered = facts["usd_per_card_hour"], _delivered(facts)
    needed = card / (MTOK_PER_HOUR * published)
    prefill, decode = (
        facts[f"benchmark_{phase}_tok_s_per_node"] / per_node for phase in ("prefill", "decode")
    )
    benchmark = tok_s_of_both(prefill, decode, facts["input_per_output"])
    used = facts["claimed_utilization"]
    both = facts["input_mtok_per_day"] / facts["output_mtok_per_day"]
    power = facts["card_kw_all_in"] * facts["usd_per_kwh"]
    return (
        f"at ${card:.2f} per card-hour it needs {needed:,.0f} output tok/s from every card, "
        f"{needed * per_node:,.0f} per node, where a production decode node makes "
        f"{facts['decode_tok_s_per_node']:,.0f}; or, at the {delivered:,.0f} tok/s per card that a "
        "whole production fleet delivers, a card-hour of "
        f"${published * MTOK_PER_HOUR * delivered:.3f}. A benchmark's {benchmark:,.0f} tok/s per "
        f"card gives ${usd_per_mtok_output(card, benchmark):.2f} at 100 % and "
        f"${usd_per_mtok_output(card, benchmark, used):.2f} at {percent(used)}. Electricity alone "
        f"is ${power:.3f} per card-hour, ${usd_per_mtok_output(power, delivered):.3f} per M "
        "output; the whole cost over input and output together, cached or not, is "
        f"${usd_per_mtok_blended(_cost(facts), both):.3f} per M"
    )


def _volume(facts: Facts) -> Decimal:
    mtok = break_even_mtok(int(facts["cards"]), facts["usd_per_card_hour"], _api_value(facts))
    return mtok * TOKENS_PER_MTOK


def _api_value(facts: Facts) -> Decimal:
    return facts["api_output_usd"] + facts["input_per_output"] * facts["api_input_usd"]


def _explain_volume(facts: Facts, published: Decimal) -> str:
    mtok = published / TOKENS_PER_MTOK
    bill = break_even_mtok(int(facts["cards"]), facts["usd_per_card_hour"], Decimal(1))
    capacity = facts["cards"] * facts["delivered_tok_s_per_card"] * MTOK_PER_MONTH
    return (
        f"{facts['cards']:.0f} cards at ${facts['usd_per_card_hour']:.2f} cost ${bill:,.0f} per "
        f"month, and {mtok / 1000:.1f} B output tokens ${mtok * _api_value(facts):,.0f} at the "
        f"API; the API would have to charge ${bill / mtok:,.2f} per M output with its input, not "
        f"${_api_value(facts):.2f}. That volume is {percent(mtok / capacity, 1)} of what these "
        "cards make at a production fleet's rate"
    )


def _tiered(facts: Facts) -> Decimal:
    return sum((_tier_bill(facts, tier) for tier in facts.tiers), Decimal(0))


def _tier_bill(facts: Facts, tier: Tier) -> Decimal:
    prompt = facts["input_mtok"] * tier.input_usd
    return tier.share * (prompt + facts["output_mtok"] * tier.output_usd)


def _explain_tiered(facts: Facts, published: Decimal) -> str:
    bill = _tiered(facts)
    claude, gpt = (
        _tier_bill(
            facts, Tier(name, Decimal(1), facts[f"{name}_input_usd"], facts[f"{name}_output_usd"])
        )
        for name in ("claude", "gpt")
    )
    parts = ", ".join(f"{tier.name} ${_tier_bill(facts, tier):,.0f}" for tier in facts.tiers)
    return (
        f"at list prices it is ${bill:,.0f} ({parts}); every price would have to be "
        f"{percent(1 - published / bill)} lower. The ratios are {claude / bill:.1f} to Claude "
        f"alone and {gpt / bill:.1f} to GPT-5.1, not {facts['claimed_times_claude']} and "
        f"{facts['claimed_times_gpt']}; the published bill would itself give "
        f"{claude / published:.1f} and {gpt / published:.1f}"
    )


def _floor(facts: Facts) -> Decimal:
    """All traffic input: output is dearer in every tier."""
    return sum(
        (tier.share * min(tier.input_usd, tier.output_usd) for tier in facts.tiers), Decimal(0)
    )


def _explain_floor(facts: Facts, published: Decimal) -> str:
    prompt = sum((tier.share * tier.input_usd for tier in facts.tiers), Decimal(0))
    answer = sum((tier.share * tier.output_usd for tier in facts.tiers), Decimal(0))
    ratio = facts["input_per_output"]
    return (
        f"even with no output at all it is ${prompt:.3f}, and ${answer:.3f} for output; at "
        f"{ratio}:1 it is ${(ratio * prompt + answer) / (ratio + 1):.2f}. List prices would have "
        f"to be {percent(1 - published / prompt)} lower with no output, by caching or batches"
    )


def _saving(facts: Facts) -> Decimal:
    return 100 * (1 - facts["hybrid_usd_per_year"] / facts["claude_usd_per_year"])


def _explain_saving(facts: Facts, published: Decimal) -> str:
    gpt = 100 * (1 - facts["hybrid_usd_per_year"] / facts["gpt_usd_per_year"])
    most = (1 - published / 100) * facts["claude_usd_per_year"]
    cheapest = 100 * (1 - facts["cheapest_usd_per_year"] / facts["claude_usd_per_year"])
    return (
        f"its own table gives {gpt:.1f} % against GPT-4o and {_saving(facts):.1f} % against "
        f"Claude 3.5; the router's ${facts['hybrid_usd_per_year']:,.0f} a year would have to be "
        f"below ${most:,.0f}, where everything at the cheapest model is "
        f"${facts['cheapest_usd_per_year']:,.0f} ({cheapest:.1f} %)"
    )


FORMULAS: Mapping[str, Formula] = {
    "cost_per_mtok": Formula("C / (0.0036 · delivered tok/s per card)", _cost, _explain_cost),
    "break_even_volume": Formula("730 · N · C / V", _volume, _explain_volume),
    "tiered_bill": Formula("Σ share · (M in · p_in + M out · p_out)", _tiered, _explain_tiered),
    "blended_floor": Formula("Σ share · min(p_in, p_out)", _floor, _explain_floor),
    "saving": Formula("100 · (1 − hybrid / dearest)", _saving, _explain_saving),
}
