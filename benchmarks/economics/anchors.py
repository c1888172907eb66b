"""Public figures that the formulas must reproduce before anyone believes what else they give.

Each has what was published, what our formulas make of the same inputs, and how they agree: within
1 %, or to the digits that were published where those are fewer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from benchmarks.economics.api_price import TokenMix, given_price, value_usd_per_mtok
from benchmarks.economics.breakeven import api_bill_nano
from benchmarks.economics.cost import MTOK_PER_DAY, tok_s_of_both, usd_per_mtok_output
from models.money import NANO_PER_USD

WITHIN = Decimal("0.01")
CARDS_PER_NODE = 8
UNDATED = date.min  # the bill of a price is asked for, not on which day it stood


@dataclass(frozen=True, slots=True)
class Anchor:
    """``published`` is text, so that its last digit says how exact it is."""

    anchor_id: str
    says: str
    published: str
    computed: Decimal
    unit: str
    note: str = ""

    @property
    def agrees(self) -> bool:
        published = Decimal(self.published)
        last_digit = Decimal((0, (1,), int(published.as_tuple().exponent)))
        off = abs(self.computed - published)
        return off <= WITHIN * published or off <= last_digit / 2

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.anchor_id,
            "says": self.says,
            "published": float(self.published),
            "computed": float(self.computed),
            "unit": self.unit,
            "agrees": self.agrees,
            "note": self.note,
        }


def anchors() -> tuple[Anchor, ...]:
    return (*_deepseek(), *_sglang(), *_kimi(), *_bills())


def _deepseek() -> Iterator[Anchor]:
    """Open-infra day 6, 2025-03-01: a day of the whole H800 fleet, at its own $2 and R1's price."""
    nodes, card_usd = Decimal("226.75"), Decimal(2)
    input_mtok, hit, output_mtok = Decimal(608_000), Decimal("0.563"), Decimal(168_000)
    cost = nodes * CARDS_PER_NODE * card_usd * 24
    ratio = input_mtok / output_mtok
    revenue = _api_usd(("0.55", "2.19", "0.14"), ratio, hit, output_mtok)
    tok_s = output_mtok / MTOK_PER_DAY / (nodes * CARDS_PER_NODE)
    yield Anchor("deepseek_cost", "DeepSeek, a day's cost", "87072", cost, "USD")
    yield Anchor("deepseek_revenue", "DeepSeek, a day at R1's list price", "562027", revenue, "USD")
    yield Anchor(
        "deepseek_margin", "DeepSeek, profit over cost", "545", 100 * (revenue / cost - 1), "%"
    )
    yield Anchor("deepseek_tok_s", "DeepSeek, output of a card, all nodes", "1072", tok_s, "tok/s")
    yield Anchor(
        "deepseek_all_in",
        "DeepSeek, all nodes paid",
        "0.518",
        usd_per_mtok_output(card_usd, tok_s),
        "USD per M output",
    )


def _sglang() -> Iterator[Anchor]:
    """96 H100, 2025-05-05: each phase measured alone, at 2k prompts; $2 per card-hour."""
    card_usd, ratio = Decimal(2), Decimal("3.6")
    prefill, decode = Decimal(54_543) / CARDS_PER_NODE, Decimal(22_282) / CARDS_PER_NODE
    yield Anchor(
        "sglang_decode_only",
        "SGLang, decode nodes paid",
        "0.20",
        usd_per_mtok_output(card_usd, decode),
        "USD per M output",
        "published; prefill nodes are left out of the cost",
    )
    yield Anchor(
        "sglang_all_in",
        f"SGLang, all nodes paid, {ratio}:1",
        "0.49",
        usd_per_mtok_output(card_usd, tok_s_of_both(prefill, decode, ratio)),
        "USD per M output",
        "derived: prefill and decode nodes in the proportion that the mix needs",
    )


def _kimi() -> Iterator[Anchor]:
    """Kimi K2 on 128 H200, 2025-07-20: 4 prefill and 12 decode nodes, $2.3 per card-hour."""
    card_usd, prefill, decode = Decimal("2.3"), Decimal(224_000), Decimal(288_000)
    decode_cards, cards = 12 * CARDS_PER_NODE, 16 * CARDS_PER_NODE
    fed = prefill / 20  # output that 4 nodes of prefill can feed at the published 2000:100
    yield Anchor(
        "kimi_decode_only",
        "Kimi K2, decode nodes paid",
        "0.21",
        usd_per_mtok_output(card_usd, decode / decode_cards),
        "USD per M output",
        "published; prefill nodes are left out of the cost",
    )
    yield Anchor(
        "kimi_all_cards",
        "Kimi K2, all cards paid",
        "0.284",
        usd_per_mtok_output(card_usd, decode / cards),
        "USD per M output",
        f"needs a mix of at most {prefill / decode:.2f}:1; at the published 20:1 these prefill "
        f"nodes feed {fed:,.0f} output tok/s, which is "
        f"${usd_per_mtok_output(card_usd, fed / cards):.2f} per M",
    )


def _bills() -> Iterator[Anchor]:
    """The two articles' own sums: exact, whatever else is wrong with them."""
    ratio, output_mtok = Decimal(2), Decimal(12_000)
    for name, prices, published in (
        ("GPT-5.1", ("1.25", "10", None), "150000"),
        ("Claude Opus 4.5", ("5", "25", None), "420000"),
    ):
        usd = _api_usd(prices, ratio, Decimal(0), output_mtok)
        yield Anchor(
            f"bill_{_slug(name)}", f"{name}, 24 B in and 12 B out", published, usd, "USD per month"
        )
    for name, prices, published in (
        ("GPT-4o", ("2.50", "10", None), "182500"),
        ("Claude 3.5", ("3", "15", None), "273750"),
        ("DeepSeek V4 Flash", ("0.18", "0.25", None), "4562"),
        ("Qwen3-32B", ("0.18", "0.28", None), "5110"),
        ("GLM-5", ("0.73", "1.92", None), "35040"),
    ):
        usd = _api_usd(prices, Decimal(0), Decimal(0), Decimal(50 * 365))
        yield Anchor(
            f"year_{_slug(name)}",
            f"{name}, 50 M tokens a day for a year",
            published,
            usd,
            "USD per year",
            "all tokens billed as output; the input price is ignored",
        )


def _api_usd(
    prices: tuple[str, str, str | None], ratio: Decimal, hit: Decimal, output_mtok: Decimal
) -> Decimal:
    """The bill of M output tokens at (input, output, cached) prices."""
    price = given_price(*prices, on=UNDATED)
    value = value_usd_per_mtok(price, TokenMix(ratio, hit))
    return Decimal(api_bill_nano(value, output_mtok)) / NANO_PER_USD


def _slug(name: str) -> str:
    return "".join(char if char.isalnum() else "_" for char in name.lower())
