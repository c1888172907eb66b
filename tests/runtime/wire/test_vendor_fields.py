"""What a known vendor is sent of a request, and which requests it must not be sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from models.vendors import VendorTerms, load_vendors
from runtime.wire.dialect import UpstreamModel
from runtime.wire.openai_dialect import CHAT, COMPLETION
from runtime.wire.vendor_fields import HINTS
from tests.runtime.wire.bodies import LOCAL_CHAT, TOOL, USER, chat, completion

VENDORS = load_vendors().by_name
JSON_OBJECT = {"response_format": {"type": "json_object"}}
SCHEMA = {"name": "x", "schema": {"type": "object"}}
JSON_SCHEMA = {"response_format": {"type": "json_schema", "json_schema": SCHEMA}}


def _terms(vendor: str, model: str = "m") -> VendorTerms:
    return VENDORS[vendor].terms(model)


def _upstream(vendor: str, model: str = "m") -> UpstreamModel:
    return UpstreamModel(model, is_vendor=True, terms=_terms(vendor, model))


def _sent(vendor: str, model: str = "m", **fields: Any) -> dict[str, Any]:
    request = chat(**fields)
    assert CHAT.refused_field(request, _upstream(vendor, model)) is None
    told: dict[str, Any] = json.loads(CHAT.upstream_call(request, _upstream(vendor, model)).body)
    return told


@pytest.mark.parametrize(
    ("vendor", "fields", "named"),
    [
        ("deepseek", {"n": 2}, "n"),
        ("deepseek", {"seed": 0}, "seed"),
        ("deepseek", JSON_SCHEMA, "response_format"),
        ("deepseek", {"parallel_tool_calls": False, "tools": [TOOL]}, "parallel_tool_calls"),
        ("openai", {"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ("deepseek", {"structured_outputs": {"regex": "a"}}, "structured_outputs"),
        ("dashscope", {"tool_choice": "required", "tools": [TOOL]}, "tool_choice"),
        ("dashscope", {"logprobs": True}, "logprobs"),
        ("moonshot", {"temperature": 1.5}, "temperature"),
        ("zhipu", {"tool_choice": "none", "tools": [TOOL]}, "tool_choice"),
        ("zhipu", {"messages": [{**USER[0], "name": "ann"}]}, "messages.name"),
        ("zhipu", {"stop": ["a", "b"]}, "stop"),
        ("minimax", {"temperature": 0}, "temperature"),
        ("minimax", JSON_OBJECT, "response_format"),
        ("minimax", {"presence_penalty": 1}, "presence_penalty"),
        ("together", {"logprobs": True}, "logprobs"),
        ("sglang", {"structured_outputs": {"regex": "a"}}, "structured_outputs"),
    ],
)
def test_a_field_that_cannot_be_honoured_is_named(
    vendor: str, fields: dict[str, Any], named: str
) -> None:
    assert CHAT.refused_field(chat(**fields), _upstream(vendor)) == named


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_plain_request_is_taken_everywhere(vendor: str) -> None:
    terms = VENDORS[vendor].terms("m")
    upstream = UpstreamModel("m", is_vendor=True, answer_tokens_max=9, terms=terms)
    plain = chat(temperature=0.7, max_tokens=5, stop="x", tools=[TOOL], tool_choice="auto")
    assert CHAT.refused_field(plain, upstream) is None
    neutral = {"n": 1, "presence_penalty": 0.0, "logprobs": False, "parallel_tool_calls": True}
    request = chat(**neutral, response_format={"type": "text"})
    assert CHAT.refused_field(request, upstream) is None
    assert not json.loads(CHAT.upstream_call(request, upstream).body).keys() & terms.not_taken


def test_the_bound_on_an_answer_has_its_name_there() -> None:
    assert _sent("openai", max_tokens=5)["max_completion_tokens"] == 5
    assert "max_tokens" not in _sent("openai", max_tokens=5)
    assert _sent("deepseek", max_completion_tokens=5)["max_tokens"] == 5
    told = UpstreamModel("m", is_vendor=True, answer_tokens_max=7, terms=_terms("openai"))
    assert json.loads(CHAT.upstream_call(chat(), told).body)["max_completion_tokens"] == 7


def test_usage_is_asked_for_where_that_is_known() -> None:
    assert _sent("deepseek", stream=True)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in _sent("zhipu", stream=True)


def test_what_keeps_a_vendor_from_changing_a_request_is_added() -> None:
    assert _sent("openrouter")["provider"] == {"require_parameters": True}
    assert _sent("fireworks")["context_length_exceeded_behavior"] == "error"


def test_hints_that_a_vendor_takes_are_sent_and_the_others_told() -> None:
    hints: dict[str, Any] = {"top_k": 5, "min_p": 0.1, "ignore_eos": True}
    told = _sent("siliconflow", **hints)
    assert {name: told.get(name) for name in hints} == {
        "top_k": 5,
        "min_p": 0.1,
        "ignore_eos": None,
    }
    ignored = chat(**hints).ignored_by(bought=True, terms=_terms("siliconflow"))
    assert ignored == ("ignore_eos",)
    assert chat(**hints).ignored_by(bought=True) == tuple(hints)
    assert _sent("deepseek", **hints).keys().isdisjoint(HINTS)


def test_another_vllm_takes_what_ours_take() -> None:
    told = _sent("vllm", **LOCAL_CHAT)
    assert {name: told.get(name) for name in LOCAL_CHAT} == LOCAL_CHAT
    continued: dict[str, Any] = {
        "continue_final_message": True,
        "messages": [*USER, {"role": "assistant", "content": "a"}],
    }
    assert _sent("vllm", **continued)["add_generation_prompt"] is False


def test_sampling_that_a_model_does_by_itself_is_not_asked_of_it() -> None:
    upstream = _upstream("openai", "o3-mini")
    assert CHAT.refused_field(chat(temperature=0.2), upstream) == "temperature"
    assert "temperature" not in _sent("openai", "o3-mini", temperature=1)
    assert CHAT.refused_field(chat(temperature=0.2), _upstream("openai", "gpt-4.1")) is None


def test_completions_are_sold_by_few() -> None:
    assert COMPLETION.refused_field(completion(), _upstream("deepseek")) == "prompt"
    assert COMPLETION.refused_field(completion(), _upstream("anthropic")) == "prompt"
    assert COMPLETION.refused_field(completion(), _upstream("together")) is None
    assert COMPLETION.refused_field(completion(logprobs=0), _upstream("together")) == "logprobs"


def test_a_vendor_that_is_not_named_is_asked_as_before() -> None:
    plain = UpstreamModel("m", is_vendor=True)
    for fields in ({"n": 2, "seed": 1, "logprobs": True}, {"temperature": 2.0, "tools": [TOOL]}):
        assert CHAT.refused_field(chat(**fields), plain) is None
    assert CHAT.refused_field(chat(stop_token_ids=[1]), plain) == "stop_token_ids"
