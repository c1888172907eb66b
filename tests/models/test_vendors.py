"""What is known of vendors: the file that ships, and files that must not be used."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from models.vendors import Auth, BadVendors, Meaning, Vendor, Wire, load_vendors
from runtime.wire.chat_request_fields import ChatRequest
from runtime.wire.completion_request_fields import CompletionRequest
from runtime.wire.reported_usage import NAMES, Tally

ALL = load_vendors().by_name
EACH = pytest.mark.parametrize("vendor", ALL.values(), ids=list(ALL))
WITHOUT_URL = {"vllm", "sglang"}
NESTED = {"messages.name", "tools.strict"}
LEAST = "vendors:\n- name: x\n  title: X\n  usage: {frame: own, cached: []}\n"
SOURCES = "  sources: [{mark: exact, source: a page, as_of: 2026-01-01}]\n"


def test_the_vendors_that_are_promised_are_known() -> None:
    assert set(ALL) == WITHOUT_URL | {
        "openai", "anthropic", "deepseek", "dashscope", "moonshot", "zhipu", "minimax",
        "siliconflow", "openrouter", "together", "fireworks",
    }  # fmt: skip


@EACH
def test_an_entry_has_a_url_a_dated_source_and_fields_that_there_are(vendor: Vendor) -> None:
    urls = [vendor.base_url, *(scope.base_url for scope in vendor.scopes.values())]
    assert any(urls) == (vendor.name not in WITHOUT_URL)
    assert all(source.as_of <= date(2026, 11, 30) for source in vendor.sources)
    fields = {*ChatRequest.model_fields, *CompletionRequest.model_fields}
    for part in (vendor.fields, *vendor.of_models):
        named = {*part.takes, *part.not_taken, *part.left_out, *part.renamed}
        assert named - NESTED <= fields
        assert all(pair <= fields for pair in part.not_together)
        assert not part.takes & part.left_out


@EACH
def test_where_cached_tokens_are_told_is_where_they_are_read(vendor: Vendor) -> None:
    for path in vendor.usage.cached:
        assert path.partition(".")[0] in NAMES
        tally, outer, inner = Tally(), *path.partition(".")[::2]
        told = {"prompt_tokens": 9, outer: {inner: 7} if inner else 7}
        tally.add({"usage": told})
        assert tally.usage is not None
        assert tally.usage.cached_tokens == 7


def test_only_anthropic_is_asked_in_another_way() -> None:
    other = {name for name, each in ALL.items() if each.wire is not Wire.OPENAI}
    assert other == {name for name, each in ALL.items() if each.auth is not Auth.BEARER}
    assert other == {"anthropic"}
    terms = ALL["anthropic"].terms("claude-sonnet-4-6")
    assert terms.key_lines("k") == ("x-api-key: k", "anthropic-version: 2023-06-01")
    assert ALL["openai"].terms("gpt-4.1").key_lines("k") == ("authorization: Bearer k",)


def test_what_holds_for_one_model() -> None:
    openai = ALL["openai"]
    assert "temperature" in openai.terms("o3-mini").not_taken
    assert "temperature" in openai.terms("gpt-5").not_taken
    assert openai.terms("gpt-5-chat-latest").not_taken == frozenset()
    assert {"stop", "logprobs"} <= openai.terms("o3-mini").not_taken
    anthropic = ALL["anthropic"]
    assert anthropic.terms("claude-3-5-haiku-latest").formats == frozenset()
    assert anthropic.terms("claude-sonnet-4-6").formats == {"json_schema"}
    assert anthropic.terms("claude-sonnet-4-6").takes == {"top_k"}
    assert anthropic.terms("claude-opus-4-7").takes == frozenset()
    assert anthropic.terms("claude-opus-4-7").formats == {"json_schema"}
    assert ALL["zhipu"].terms("glm-5").temperature_max == 1
    assert ALL["deepseek"].terms("deepseek-chat").temperature_max == 2


def test_the_same_name_means_what_its_vendor_says() -> None:
    code = "insufficient_quota"
    assert ALL["openai"].errors[code] is Meaning.NO_MONEY
    assert ALL["dashscope"].errors[code] is Meaning.RATE_LIMITED


@pytest.mark.parametrize(
    ("name", "scope", "has_url", "at", "says"),
    [
        ("deepsek", None, False, "vendor", "did you mean deepseek"),
        ("nobody", None, True, "vendor", "known are anthropic, "),
        ("dashscope", "mars", True, "scope", "there are beijing, frankfurt"),
        ("deepseek", "beijing", False, "scope", "it has none"),
        ("dashscope", None, False, "base_url", "a scope (beijing, frankfurt"),
        ("dashscope", "tokyo", False, "base_url", "needs"),
        ("vllm", None, False, "base_url", "vllm needs a base_url"),
    ],
)
def test_a_wrong_choice_is_explained(
    name: str, scope: str | None, has_url: bool, at: str, says: str
) -> None:
    fault = load_vendors().fault(name, scope, has_url=has_url)
    assert fault is not None
    assert fault.at == at
    assert says in fault.says


@pytest.mark.parametrize("choice", [("deepseek", None, False), ("dashscope", "singapore", False)])
def test_a_right_one_has_no_fault(choice: tuple[str, str | None, bool]) -> None:
    name, scope, has_url = choice
    assert load_vendors().fault(name, scope, has_url=has_url) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LEAST + "  sources: []\n", "sources"),
        (LEAST + SOURCES + "  speed: 1\n", "speed"),
        (LEAST + SOURCES + "  wire: smoke\n", "wire"),
        (LEAST + SOURCES + "  base_url: http://x\n", "base_url"),
        (LEAST + SOURCES + "  errors: {a: bad}\n", "errors"),
        (LEAST + SOURCES + LEAST[len("vendors:\n") :] + SOURCES, "'x' stands twice"),
    ],
)
def test_a_file_with_a_fault_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "vendors.yaml"
    path.write_text(text)
    with pytest.raises(BadVendors, match=says):
        load_vendors(path)
    path.write_text(LEAST + SOURCES)
    load_vendors.cache_clear()
    assert list(load_vendors(path).by_name) == ["x"]
