from __future__ import annotations

from pathlib import Path

import pytest

from models.cards import load_cards
from models.data_file import BadDataFile


def test_every_card_of_the_glossary_is_known() -> None:
    assert list(load_cards()) == ["h100", "h200", "h800", "h20", "h20-3e", "cpu"]


def test_a_known_figure_has_a_source_and_an_unknown_one_has_none() -> None:
    for card in load_cards().values():
        figures = {
            "memory_gib": card.memory_gib,
            "memory_bandwidth_gb_s": card.memory_bandwidth_gb_s,
            "bf16_dense_tflops": card.bf16_dense_tflops,
            "fp8_dense_tflops": card.fp8_dense_tflops,
            "nano_usd_per_hour": card.nano_usd_per_hour,
        }
        known = {name for name, figure in figures.items() if figure is not None}
        assert known == set(card.sources), card.card_id
        assert 0 not in figures.values(), card.card_id


def test_prices_per_hour_are_exact_or_unknown() -> None:
    prices = {card.card_id: card.nano_usd_per_hour for card in load_cards().values()}
    assert prices["h100"] == 3_130_000_000
    assert prices["cpu"] == 50_000_000
    assert prices["h20"] is None


def test_the_cpu_card_says_that_its_price_is_a_placeholder() -> None:
    assert "placeholder" in load_cards()["cpu"].sources["nano_usd_per_hour"].text


def test_a_bad_file_is_refused_with_every_problem(tmp_path: Path) -> None:
    path = tmp_path / "cards.yaml"
    path.write_text(
        "cards:\n"
        "  - card_id: x\n"
        "  - card_id: x\n"
        "  - {card_id: y, memory_gib: {value: 0, source: s, as_of: 2026-01-01}}\n"
        "  - {card_id: z, usd_per_hour: {value: 1.5, source: s, as_of: 2026-01-01}}\n"
        "  - {card_id: w, memory_gib: {value: 80}}\n",
        encoding="utf-8",
    )
    with pytest.raises(BadDataFile) as caught:
        load_cards(path)
    report = "\n".join(caught.value.problems)
    assert "'x' stands twice" in report
    assert "cards[2].memory_gib.value" in report
    assert "cards[3].usd_per_hour.value: write USD per hour as a quoted string" in report
    assert "cards[4].memory_gib.source" in report
    assert "cards[4].memory_gib.as_of" in report
