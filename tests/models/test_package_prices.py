"""What is taken from the package of prices, what is not, and that nothing asks the network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from genai_prices import Usage
from genai_prices.data import providers

from models.package_prices import PACKAGE, RELEASED
from models.price_book import PriceBook, load_price_book
from models.token_price import Price

TODAY = date(2026, 11, 30)
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def known(provider: str, model: str, on: date = TODAY) -> Price:
    price = PACKAGE.price_at(provider, model, on)
    assert price is not None
    return price


def test_the_release_that_is_locked_is_the_one_whose_day_is_known() -> None:
    (locked,) = re.findall(
        r"^genai-prices==(\S+)$", Path("requirements/cpu.lock").read_text(), re.M
    )
    assert PACKAGE.release == locked
    assert PACKAGE.released == RELEASED[locked]


def test_every_price_costs_what_the_package_itself_says() -> None:
    """Of its own arithmetic: at short and long prompts, with tokens from a cache and without."""
    own = {(entry.id, model.id): model for entry in providers for model in entry.models}
    compared = 0
    for price in PACKAGE.prices(TODAY):
        model = own[price.provider, price.model]
        for prompt, cached in ((1_000, 0), (1_000, 400), (300_000, 0), (900_000, 100_000)):
            usage = Usage(input_tokens=prompt, cache_read_tokens=cached, output_tokens=700)
            their_usd = model.get_prices(NOON).calc_price(usage)["total_price"]
            ours = price.cost_nano(prompt, cached, 700)
            assert 0 <= ours - their_usd * 10**9 < 1, (price, prompt, cached)
            compared += 1
    assert compared > 4 * 1_900


def test_batch_prices_are_what_the_package_says() -> None:
    """They are data: nothing is bought at them."""
    batch = known("anthropic", "claude-sonnet-4-5").batch
    assert batch is not None
    assert (batch.rates.input_pico, batch.rates.output_pico) == (1_500_000, 7_500_000)
    assert [tier.rates.input_pico for tier in batch.tiers] == [3_000_000]


def test_a_price_names_the_package_its_release_and_a_day() -> None:
    price = known("openai", "gpt-4o")
    assert price.price_id == f"genai-prices-{PACKAGE.release}:openai/gpt-4o@2026-11-10"
    assert price.as_of == date(2026, 11, 10)


def test_a_price_that_began_on_a_day_holds_from_that_day_to_the_next_one() -> None:
    before = known("zai", "glm-5.3-flash", date(2026, 9, 9))
    after = known("zai", "glm-5.3-flash", date(2026, 9, 10))
    assert before.effective_to == after.effective_from == date(2026, 9, 10)
    assert after.input_pico == 2 * before.input_pico


@pytest.mark.parametrize(
    ("model", "is_known"),
    [
        ("claude-sonnet-4-5", True),
        ("claude-sonnet-4-5-20250929", True),
        ("claude-sonnet-4-5-latest", True),
        ("CLAUDE-SONNET-4-5", True),
        ("claude-sonnet-4-5-turbo", False),
        ("claude-sonnet-4-50", False),
        ("claude", False),
    ],
)
def test_a_model_that_merely_begins_like_another_has_no_price(model: str, is_known: bool) -> None:
    assert (PACKAGE.price_at("anthropic", model, TODAY) is not None) is is_known


@pytest.mark.parametrize(
    ("provider", "model", "why"),
    [
        ("deepseek", "deepseek-chat", "depends on the time of day"),
        ("zhipuai", "glm-5", "cheapest tier alone"),
        ("openai", "whisper-1", "not priced by tokens of prompt and answer"),
    ],
)
def test_what_cannot_be_billed_exactly_is_unknown_and_says_why(
    provider: str, model: str, why: str
) -> None:
    assert PACKAGE.price_at(provider, model, TODAY) is None
    assert why in (PACKAGE.why_not(provider, model, TODAY) or "")


def test_names_of_providers_and_models_as_requests_have_them() -> None:
    ours = known("novita-ai", "zai-org/glm-5")
    assert ours.rates == known("novita", "zai-org/glm-5").rates
    assert ours.provider == "novita-ai"
    assert known("fireworks", "accounts/fireworks/models/glm-5p3").input_pico == 1_400_000


def test_a_file_is_the_word_and_the_package_is_asked_for_what_it_does_not_know() -> None:
    book, day = load_price_book(), timedelta(days=1)
    stated = book.price_at("zai", "glm-5", TODAY)
    assert stated is not None
    assert not stated.price_id.startswith("genai-prices")
    assert book.price_at("zai", "glm-5.3", TODAY) == known("zai", "glm-5.3")
    ended = Price("x", "zai", "glm-5.3", 1, None, 1, date(2026, 1, 1), TODAY, "test")
    over = PriceBook((ended,), book)
    assert over.price_at("zai", "glm-5.3", TODAY - day) == ended
    assert over.price_at("zai", "glm-5.3", TODAY) is None  # withdrawn, whatever others say
    assert over.why_unknown("zai", "glm-5.3", TODAY) == f"its last known price ended on {TODAY}"
    to_come = Price("y", "zai", "glm-5.3", 1, None, 1, TODAY + day, None, "test")
    assert PriceBook((to_come,), book).price_at("zai", "glm-5.3", TODAY) == known("zai", "glm-5.3")


def test_an_unknown_name_is_answered_with_near_ones_of_both() -> None:
    book = load_price_book()
    assert "did you mean zai?" in book.why_unknown("zaii", "glm-5", TODAY)
    assert "did you mean anthropic" in book.why_unknown("antropic", "x", TODAY)
    assert "kimi-k2.6" in book.why_unknown("moonshotai", "kimi-k2.66", TODAY)


def test_it_is_imported_for_nothing_that_a_file_knows_and_never_asks_the_network() -> None:
    code = """
import socket, sys
from datetime import date
def refuse(*given, **more): raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = refuse
from models.price_book import load_price_book
book, day = load_price_book(), date(2026, 11, 30)
assert book.price_at("stand-in", "tiny-moe", day)
assert "genai_prices" not in sys.modules
assert book.price_at("openai", "gpt-4o", day)
assert "genai_prices" in sys.modules
import threading
assert threading.active_count() == 1
"""
    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)


def test_an_amount_that_pico_usd_cannot_hold_is_unknown() -> None:
    assert any(
        "cannot be finer" in (PACKAGE.why_not("openrouter", name, TODAY) or "")
        for name in PACKAGE.names("openrouter")
    )
