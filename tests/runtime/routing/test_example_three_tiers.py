"""docs/examples/three-tiers.yaml: support in three tiers, and what a month of it costs."""

from __future__ import annotations

import pytest

from tests.runtime.routing.example import FOLDER, Example

INPUT_MTOK, OUTPUT_MTOK = 24_000, 12_000  # 10 M conversations of 4 turns, 600 and 300 tokens each
TIERS = {"ticket": 0.70, "ticket_reasoning": 0.25, "ticket_hardest": 0.05}


@pytest.fixture(scope="module")
def bills() -> dict[str, float]:
    """USD of a month by the model that is asked first."""
    example, found = Example("three-tiers"), {}
    for task, share in TIERS.items():
        first, second = example.plan(task).steps
        assert (second.model, second.is_local) == ("gpt-oss-120b", True)
        found[first.model] = example.usd(first.model, share * INPUT_MTOK, share * OUTPUT_MTOK)
    return found


def test_a_month_costs_47220_dollars(bills: dict[str, float]) -> None:
    assert bills == pytest.approx(
        {"deepseek-r1": 15_120, "kimi-k2-thinking": 11_100, "claude-opus-4.5": 21_000}
    )
    assert sum(bills.values()) == pytest.approx(47_220)


def test_the_published_bill_needs_other_prices(bills: dict[str, float]) -> None:
    """Nor is it the bill without the hardest tickets. The file says so itself."""
    assert 1 - 32_500 / sum(bills.values()) == pytest.approx(0.31, abs=0.005)
    assert sum(bills.values()) - bills["claude-opus-4.5"] == pytest.approx(26_220)
    text = " ".join((FOLDER / "three-tiers.yaml").read_text().replace("#", " ").split())
    for figure in ("$47,220", "$15,120, $11,100 and $21,000", "$32,500", "31 % lower", "$26,220"):
        assert figure in text
