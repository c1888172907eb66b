"""Providers whose vendor is named: what follows from it, and wrong names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from models.vendors import load_vendors
from runtime.config import load_config
from runtime.errors import ConfigError


def _of_vendor(**fields: Any) -> dict[str, Any]:
    offers = fields.pop("offers", {"m": "m"})
    return {"providers": {"p": {"key_env": "SOME_KEY", "offers": offers, **fields}}}


def test_a_vendor_brings_its_url_and_its_terms() -> None:
    provider = load_config(_of_vendor(vendor="deepseek")).providers["p"]
    terms = provider.terms("deepseek-chat")
    assert provider.url == "https://api.deepseek.com/v1"
    assert terms is not None
    assert "seed" in terms.not_taken
    own = load_config(_of_vendor(vendor="deepseek", base_url="https://proxy.example/v1"))
    assert own.providers["p"].url == "https://proxy.example/v1"
    beijing = load_config(_of_vendor(vendor="dashscope", scope="beijing")).providers["p"]
    assert beijing.url == "https://dashscope.aliyuncs.com/compatible-mode/v1"


def test_without_a_vendor_nothing_is_known_but_its_url() -> None:
    provider = load_config(_of_vendor(base_url="https://x.example/v1")).providers["p"]
    assert (provider.url, provider.terms("m")) == ("https://x.example/v1", None)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "providers.p.base_url: is missing"),
        ({"base_url": "https://x.example", "scope": "beijing"}, "providers.p.scope: is one of"),
        ({"vendor": "deepsek"}, "providers.p.vendor: is no vendor that is known here; did you"),
        ({"vendor": "dashscope"}, "providers.p.base_url: is missing: dashscope needs a scope"),
        ({"vendor": "dashscope", "scope": "mars"}, "providers.p.scope: is no scope of dashscope"),
        ({"vendor": "vllm"}, "providers.p.base_url: is missing: vllm needs a base_url"),
        ({"vendor": "anthropic"}, "providers.p.offers.m.output_tokens_max: is missing: this"),
    ],
)
def test_a_wrong_vendor_is_explained(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(_of_vendor(**fields))
    assert says in str(caught.value)


def test_the_example_of_the_documents_is_one() -> None:
    text = (Path(__file__).parents[2] / "docs" / "vendors.md").read_text("utf-8")
    example = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])
    providers = load_config(example["user_config"]).providers
    assert {each.vendor for each in providers.values()} == {"deepseek", "dashscope", "anthropic"}
    listed = text.partition("Known are ")[2].partition("\n")[0]
    assert all(f"`{name}`" in listed for name in load_vendors().by_name)
