from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from models.tiny.tokenizer import (
    CHAT_TEMPLATE,
    CONTROL_TOKENS,
    TOOL_TOKENS,
    VOCAB_SIZE,
    read_corpus,
    silent_token_ids,
    train_tokenizer,
)

TOKENIZER = train_tokenizer(read_corpus())
TOOL = {"type": "function", "function": {"name": "weather", "description": "天气 <b>"}}


def render(messages: list[dict[str, Any]], **options: Any) -> str:
    """As chat servers do it: sandboxed, blocks trimmed, JSON without HTML escapes."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.from_string(CHAT_TEMPLATE).render(messages=messages, **options)


@given(st.text())
def test_any_text_comes_back_unchanged(text: str) -> None:
    ids = TOKENIZER.encode(text).ids
    if not any(token in text for token in CONTROL_TOKENS):
        assert TOKENIZER.decode(ids, skip_special_tokens=False) == text
    assert all(0 <= token_id < VOCAB_SIZE for token_id in ids)


def test_training_again_gives_the_same_tokenizer() -> None:
    assert train_tokenizer(read_corpus()).to_str() == TOKENIZER.to_str()


def test_known_languages_take_fewer_tokens_than_bytes() -> None:
    for text in ("The scheduler buys the answer.", "今天的天气怎么样？", "return total - used"):
        assert len(TOKENIZER.encode(text).ids) * 2 <= len(text.encode())


def test_a_corpus_without_enough_words_is_refused() -> None:
    with pytest.raises(ValueError, match=f"{VOCAB_SIZE} are needed"):
        train_tokenizer(["too small"])


def test_control_tokens_are_one_token_and_vanish_from_answers() -> None:
    for token in CONTROL_TOKENS:
        (token_id,) = TOKENIZER.encode(token).ids
        assert TOKENIZER.decode([token_id]) == ""


def test_tool_tokens_are_one_token_and_stay_in_answers() -> None:
    for token in TOOL_TOKENS:
        (token_id,) = TOKENIZER.encode(token).ids
        assert TOKENIZER.decode([token_id]) == token


@given(st.data())
def test_tokens_that_may_be_produced_always_make_readable_text(data: st.DataObject) -> None:
    allowed = sorted(set(range(VOCAB_SIZE)) - set(silent_token_ids(TOKENIZER)))
    ids = data.draw(st.lists(st.sampled_from(allowed)))
    text = TOKENIZER.decode(ids, skip_special_tokens=False)
    assert "\N{REPLACEMENT CHARACTER}" not in text
    assert text.replace("\n", "").isprintable()
    assert "<|" not in TOKENIZER.decode(ids[:1], skip_special_tokens=False)


def test_enough_tokens_may_be_produced() -> None:
    assert len(silent_token_ids(TOKENIZER)) < VOCAB_SIZE / 3


def test_a_conversation_is_rendered_turn_by_turn() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "你好"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "Bye"},
    ]
    assert render(messages, add_generation_prompt=True) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\n你好<|im_end|>\n"
        "<|im_start|>assistant\nYes?<|im_end|>\n"
        "<|im_start|>user\nBye<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


@pytest.mark.parametrize("system", [[], [{"role": "system", "content": "Be brief."}]])
def test_tools_are_listed_once_as_json_in_the_system_turn(system: list[dict[str, Any]]) -> None:
    text = render([*system, {"role": "user", "content": "Hi"}], tools=[TOOL, TOOL])
    listed = text.partition("<tools>\n")[2].partition("\n</tools>")[0].splitlines()
    assert [json.loads(line) for line in listed] == [TOOL, TOOL]
    assert text.count("<|im_start|>system\n") == 1
    assert text.endswith("<|im_start|>user\nHi<|im_end|>\n")


@pytest.mark.parametrize("arguments", [{"city": "北京"}, '{"city": "北京"}'])
def test_a_tool_call_and_its_result_are_rendered_in_hermes_form(arguments: Any) -> None:
    call = {"type": "function", "function": {"name": "weather", "arguments": arguments}}
    messages: list[dict[str, Any]] = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "3 °C"},
    ]
    assert render(messages) == (
        "<|im_start|>assistant\n"
        '<tool_call>\n{"name": "weather", "arguments": {"city": "北京"}}\n</tool_call><|im_end|>\n'
        "<|im_start|>tool\n3 °C<|im_end|>\n"
    )
