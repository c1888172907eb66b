"""An operator's own price file: it counts, it is named in bills, and a bad one changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.price_book import load_price_book
from models.price_terms import cost_again
from runtime.config import load_config
from runtime.config_version import digest_of
from runtime.engine.fault_script import Script
from runtime.errors import ConfigError
from tests.runtime.parts import KEY_ENV, MODEL, chat, stack

ENTRY = f"""prices:
  - provider: stand-in
    model: {MODEL}
    input_cny_per_mtok: "8"
    cached_input_cny_per_mtok: "2"
    output_cny_per_mtok: "28"
    cny_per_usd: "7.25"
    cny_per_usd_of: 2026-06-01
    effective_from: 2026-01-01
    source: our contract
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ours.yaml"
    path.write_text(ENTRY)
    return path


async def test_it_counts_before_what_ships_and_the_bill_says_all_of_it(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_ENV, "vendor-key")
    config = {"prices_file": str(file)}
    async with stack(tmp_path, scripts=[], vendor=Script(), sells=True, config=config) as s:
        assert (await s.post(chat())).status == 200
        row = s.row()
    assert row.derivation == (
        f"price ours.yaml:stand-in/{MODEL}@2026-01-01 (USD per M tokens: input 1.103449, cached "
        "0.275863, output 3.862069; CNY 8/2/28 at 7.25 per USD of 2026-06-01)"
    )
    assert (row.prompt_tokens, row.completion_tokens) == (2, 5)
    assert row.cost_nano_usd == 21_518  # 2 x 1103.449 and 5 x 3862.069 nano-USD, rounded up once
    assert cost_again(row.derivation, 2, 0, 5) == row.cost_nano_usd


def test_what_it_does_not_know_is_asked_of_what_ships(file: Path) -> None:
    config, shipped = load_config({"prices_file": str(file)}), load_price_book()
    book = config.price_book(shipped)
    assert {price.model for price in book.prices} == {MODEL}
    assert book.names("zai") == shipped.names("zai") != set()
    assert load_config({}).price_book(shipped) is shipped


def test_a_file_with_other_prices_is_another_configuration(file: Path) -> None:
    before = digest_of(load_config({"prices_file": str(file)}))
    file.write_text(ENTRY.replace('"28"', '"29"'))
    assert digest_of(load_config({"prices_file": str(file)})) != before


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (ENTRY.replace('"28"', "28"), r"prices_file: ours.yaml: .*output_cny_per_mtok: write"),
        (None, "prices_file: ours.yaml: cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_configuration(
    file: Path, content: str | None, wrong: str
) -> None:
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(ConfigError, match=wrong):
        load_config({"prices_file": str(file)})


def test_it_is_named_by_its_whole_path() -> None:
    with pytest.raises(ConfigError, match="whole path"):
        load_config({"prices_file": "ours.yaml"})
