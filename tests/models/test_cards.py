from __future__ import annotations

from pathlib import Path

import pytest

from models.cards import Card, UnknownCard, find_card, load_cards
from models.data_file import BadDataFile

CARDS = load_cards()
GPUS = [card for card in CARDS.values() if card.card_id != "cpu"]
NOT_FIGURES = {"card_id", "name", "cuda_name", "sources"}


def figures(card: Card) -> dict[str, float | None]:
    return {name: getattr(card, name) for name in Card.__slots__ if name not in NOT_FIGURES}


def test_every_card_of_the_glossary_is_known() -> None:
    assert list(CARDS) == ["h100", "h200", "h800", "h20", "h20-3e", "cpu"]


def test_a_known_figure_has_a_source_and_an_unknown_one_has_none() -> None:
    for card in CARDS.values():
        known = {name for name, figure in figures(card).items() if figure is not None}
        assert known == set(card.sources), card.card_id
        assert 0 not in figures(card).values(), card.card_id


@pytest.mark.parametrize("card", GPUS, ids=lambda card: card.card_id)
def test_a_gpu_has_every_figure_but_perhaps_a_price(card: Card) -> None:
    missing = {name for name, figure in figures(card).items() if figure is None}
    assert all("usd_per_hour" in name for name in missing)
    assert card.cuda_name is not None
    assert card.memory_gib is not None
    assert card.nvml_total_mib is not None
    assert 0.97 < card.memory_gib * 1024 / card.nvml_total_mib < 1  # the context takes a little


def test_what_tells_the_cards_apart() -> None:
    assert (CARDS["h800"].nvlink_gb_s, CARDS["h100"].nvlink_gb_s) == (400, 900)
    h100, h20 = CARDS["h100"], CARDS["h20"]
    assert h100.fp8_dense_tflops is not None
    assert h20.fp8_dense_tflops is not None
    assert round(h20.fp8_dense_tflops / h100.fp8_dense_tflops, 2) == 0.15
    assert CARDS["h20-3e"].nvml_total_mib == CARDS["h200"].nvml_total_mib
    assert CARDS["h20-3e"].sources["memory_bandwidth_gb_s"].mark == "estimated"


def test_prices_per_hour_are_exact_or_unknown() -> None:
    prices = {card.card_id: card.nano_usd_per_hour for card in CARDS.values()}
    assert prices["h100"] == 3_130_000_000
    assert prices["cpu"] == 50_000_000
    assert prices["h20-3e"] is None


def test_a_price_lies_in_its_band() -> None:
    banded = [card for card in GPUS if card.nano_usd_per_hour_low is not None]
    assert {card.card_id for card in banded} == {"h100", "h200", "h20"}
    for card in banded:
        assert card.nano_usd_per_hour is not None
        assert card.nano_usd_per_hour_low is not None
        assert card.nano_usd_per_hour_high is not None
        assert card.nano_usd_per_hour_low < card.nano_usd_per_hour < card.nano_usd_per_hour_high


def test_the_cpu_card_says_that_its_price_is_a_placeholder() -> None:
    assert "placeholder" in CARDS["cpu"].sources["nano_usd_per_hour"].source


@pytest.mark.parametrize("name", ["h20-3e", "H20-3e", "H20-3E"])
def test_a_card_is_found_however_it_is_written(name: str) -> None:
    assert find_card(name).card_id == "h20-3e"


def test_an_unknown_card_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownCard) as caught:
        find_card("H200X")
    assert caught.value.near[0] == "h200"
    assert str(caught.value).startswith("no card 'H200X' in the card file; did you mean h200")


def test_a_bad_file_is_refused_with_every_problem(tmp_path: Path) -> None:
    known = "mark: exact, source: s, as_of: 2026-01-01"
    path = tmp_path / "cards.yaml"
    path.write_text(
        "cards:\n"
        "  - {card_id: x, name: X}\n"
        "  - {card_id: x, name: X}\n"
        f"  - {{card_id: y, name: Y, memory_gib: {{value: 0, {known}}}}}\n"
        f"  - {{card_id: z, name: Z, usd_per_hour: {{value: 1.5, {known}}}}}\n"
        "  - {card_id: w, name: W, memory_gib: {value: 80}}\n"
        f"  - {{card_id: v, name: V, usd_per_hour: {{value: '3', {known}}},"
        f" usd_per_hour_band: {{low: '1', high: '2', {known}}}}}\n",
        encoding="utf-8",
    )
    with pytest.raises(BadDataFile) as caught:
        load_cards(path)
    report = "\n".join(caught.value.problems)
    assert "'x' stands twice" in report
    assert "cards[2].memory_gib.value" in report
    assert "cards[3].usd_per_hour.value: write USD per hour as a quoted string" in report
    for key in ("mark", "source", "as_of"):
        assert f"cards[4].memory_gib.{key}" in report
    assert "v: the price per hour is outside its band" in report
