from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from benchmarks.economics.anchors import WITHIN, anchors

FOUND = {anchor.anchor_id: anchor for anchor in anchors()}
ROUNDED = {"kimi_decode_only"}  # 0.213 was published as 0.21
PUBLISHED = {
    "deepseek_cost": "87072",
    "deepseek_revenue": "562027",
    "deepseek_margin": "545",
    "deepseek_tok_s": "1072",
    "deepseek_all_in": "0.518",
    "sglang_decode_only": "0.20",
    "sglang_all_in": "0.49",
    "kimi_decode_only": "0.21",
    "kimi_all_cards": "0.284",
    "bill_gpt_5_1": "150000",
    "bill_claude_opus_4_5": "420000",
    "year_gpt_4o": "182500",
    "year_claude_3_5": "273750",
    "year_deepseek_v4_flash": "4562",
    "year_qwen3_32b": "5110",
    "year_glm_5": "35040",
}


def test_every_anchor_is_reproduced() -> None:
    assert {name for name, anchor in FOUND.items() if not anchor.agrees} == set()
    assert {name: anchor.published for name, anchor in FOUND.items()} == PUBLISHED


@pytest.mark.parametrize("name", sorted(set(FOUND) - ROUNDED))
def test_within_one_percent(name: str) -> None:
    anchor = FOUND[name]
    assert float(anchor.computed) == pytest.approx(float(anchor.published), rel=float(WITHIN))


@pytest.mark.parametrize(
    ("name", "usd"),
    [
        ("deepseek_cost", "87072"),
        ("bill_gpt_5_1", "150000"),
        ("bill_claude_opus_4_5", "420000"),
        ("year_gpt_4o", "182500"),
        ("year_claude_3_5", "273750"),
        ("year_deepseek_v4_flash", "4562.5"),
        ("year_qwen3_32b", "5110"),
        ("year_glm_5", "35040"),
    ],
)
def test_sums_are_exact(name: str, usd: str) -> None:
    assert FOUND[name].computed == Decimal(usd)


def test_what_is_off_does_not_agree() -> None:
    anchor = FOUND["sglang_decode_only"]
    assert replace(anchor, computed=Decimal("0.2049")).agrees
    assert not replace(anchor, computed=Decimal("0.2051")).agrees
    assert not replace(FOUND["deepseek_cost"], computed=Decimal(88_000)).agrees


def test_an_anchor_says_what_it_leaves_out() -> None:
    assert "prefill nodes are left out" in FOUND["kimi_decode_only"].note
    assert "$7.30 per M" in FOUND["kimi_all_cards"].note
    assert "input price is ignored" in FOUND["year_glm_5"].note
    assert FOUND["kimi_all_cards"].as_json()["agrees"] is True
