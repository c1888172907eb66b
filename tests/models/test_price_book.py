from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.money import pico_usd_per_token
from models.price_book import BadPriceBook, Price, load_price_book

TOKENS = st.integers(0, 10**9)
PICO = st.integers(0, 10**9)

ENTRY = """
  - provider: p
    model: m
    input_usd_per_mtok: "1.00"
    output_usd_per_mtok: "2.00"
    effective_from: {start}
    source: s
"""


def make_price(
    input_pico: int = 0, output_pico: int = 0, cached_input_pico: int | None = None
) -> Price:
    return Price(
        price_id="p/m@2026-01-01",
        provider="p",
        model="m",
        input_pico=input_pico,
        cached_input_pico=cached_input_pico,
        output_pico=output_pico,
        effective_from=date(2026, 1, 1),
        effective_to=None,
        source="test",
    )


def write_book(tmp_path: Path, entries: str) -> Path:
    path = tmp_path / "prices.yaml"
    path.write_text("prices:" + entries, encoding="utf-8")
    return path


def refused(tmp_path: Path, entries: str) -> str:
    with pytest.raises(BadPriceBook) as caught:
        load_price_book(write_book(tmp_path, entries))
    assert isinstance(caught.value, ValueError)
    return "\n".join(caught.value.problems)


@given(PICO, st.none() | PICO, PICO, TOKENS, TOKENS, TOKENS)
def test_a_request_costs_its_exact_sum_rounded_up_once(
    input_pico: int, cached: int | None, output_pico: int, fresh: int, hits: int, out: int
) -> None:
    price = make_price(input_pico, output_pico, cached)
    paid_for_hits = input_pico if cached is None else cached
    exact = Fraction(fresh * input_pico + hits * paid_for_hits + out * output_pico, 1000)
    assert 0 <= price.cost_nano(fresh + hits, hits, out) - exact < 1


def test_rounding_happens_once_and_not_per_kind_of_token() -> None:
    assert make_price(1, 1, 1).cost_nano(prompt_tokens=2, cached_tokens=1, output_tokens=1) == 1


def test_a_million_tokens_cost_the_list_price() -> None:
    price = make_price(pico_usd_per_token("0.28"), pico_usd_per_token("0.42"))
    assert price.cost_nano(1_000_000, 0, 1_000_000) == 700_000_000


@pytest.mark.parametrize(("prompt", "cached", "output"), [(1, 2, 0), (1, -1, 0), (0, 0, -1)])
def test_impossible_token_counts_are_refused(prompt: int, cached: int, output: int) -> None:
    with pytest.raises(ValueError, match="cached"):
        make_price().cost_nano(prompt, cached, output)


def test_a_price_stands_from_its_first_day_until_the_day_before_its_end() -> None:
    book = load_price_book()
    dated = book.price_at("deepseek", "deepseek-chat", date(2025, 9, 29))
    assert dated is not None
    assert dated.price_id == "deepseek/deepseek-chat@2025-09-29"
    assert (dated.input_pico, dated.cached_input_pico, dated.output_pico) == (
        280_000,
        28_000,
        420_000,
    )
    assert book.price_at("deepseek", "deepseek-chat", date(2026, 4, 23)) == dated
    assert book.price_at("deepseek", "deepseek-chat", date(2026, 4, 24)) is None
    assert book.price_at("deepseek", "deepseek-chat", date(2025, 9, 28)) is None
    assert book.price_at("deepseek", "unheard-of", date(2026, 1, 1)) is None


def test_a_replaced_price_still_holds_for_its_own_days() -> None:
    book = load_price_book()
    before = book.price_at("deepinfra", "zai-org/GLM-5", date(2026, 6, 9))
    after = book.price_at("deepinfra", "zai-org/GLM-5", date(2026, 6, 10))
    assert before is not None
    assert after is not None
    assert (before.input_pico, after.input_pico) == (800_000, 600_000)


def test_the_stand_in_provider_has_a_price() -> None:
    price = load_price_book().price_at("stand-in", "tiny-moe", date(2026, 11, 21))
    assert price is not None
    assert (price.input_pico, price.cached_input_pico, price.output_pico) == (
        100_000,
        10_000,
        400_000,
    )


@pytest.mark.parametrize("start", ["2026-01-01", "2026-03-01"])
def test_two_prices_for_one_day_are_refused(tmp_path: Path, start: str) -> None:
    entries = ENTRY.format(start="2026-01-01") + ENTRY.format(start=start)
    assert f"still stands on {start}" in refused(tmp_path, entries)


def test_a_price_may_follow_the_one_that_ended(tmp_path: Path) -> None:
    first = ENTRY.format(start="2026-01-01") + "    effective_to: 2026-03-01\n"
    path = write_book(tmp_path, first + ENTRY.format(start="2026-03-01"))
    assert len(load_price_book(path).prices) == 2


def test_a_span_must_end_after_it_began(tmp_path: Path) -> None:
    entry = ENTRY.format(start="2026-01-01") + "    effective_to: 2026-01-01\n"
    assert "not after it began" in refused(tmp_path, entry)


def test_all_that_is_wrong_with_a_book_is_reported_together(tmp_path: Path) -> None:
    good = ENTRY.format(start="2026-01-01")
    entries = (
        good.replace('"1.00"', "1.00")
        + good.replace("source: s", "source: s\n    colour: red")
        + good.replace("    model: m\n", "")
        + good.replace('"2.00"', '"0.0000001"')
        + good.replace("2026-01-01", "2026-01-01T10:00:00")
        + good
        + good
    )
    report = refused(tmp_path, entries)
    assert "prices[0].input_usd_per_mtok: write USD per M tokens as a quoted string" in report
    assert "prices[1].colour" in report
    assert "prices[2].model" in report
    assert "prices[3].output_usd_per_mtok: USD per M tokens cannot be finer" in report
    assert "prices[4].effective_from" in report
    assert "p/m@2026-01-01: still stands on 2026-01-01" in report
    assert len(report.splitlines()) == 6


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "single key"),
        ("prices: []\nmore: []", "single key"),
        ("prices: {}", "must hold a list"),
        ("prices: [", "is not YAML"),
        ("prices:" + " " * (1 << 20), "larger than"),
        ("prices: \x00", "is not YAML"),
    ],
)
def test_a_file_that_is_no_price_book_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadPriceBook, match=problem):
        load_price_book(path)


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BadPriceBook, match=r"absent\.yaml: cannot be read: No such file"):
        load_price_book(tmp_path / "absent.yaml")
