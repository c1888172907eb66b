from __future__ import annotations

from typing import Any

import pytest

from runtime.wire.choices import choice_index, each_choice, finish_reason, has_words, words


@pytest.mark.parametrize("reason", [None, "", "null", "None", 0, False, {}, []])
def test_no_reason_is_no_end(reason: Any) -> None:
    assert finish_reason({"finish_reason": reason}) is None
    assert finish_reason({}) is None
    assert finish_reason({"finish_reason": "stop"}) == "stop"


def test_choices_are_objects() -> None:
    none: tuple[Any, ...] = (None, 1, "stop", {}, [None, 1, "x", []])
    for choices in none:
        assert list(each_choice({"choices": choices})) == []
    assert list(each_choice({"choices": [{"index": 1}, None]})) == [{"index": 1}]
    assert [choice_index({"index": index}) for index in (0, 3, None, -1, "1", 1.0)] == [
        0, 3, 0, -1, -1, -1,
    ]  # fmt: skip
    assert choice_index({}) == 0


SAYS: dict[str, dict[str, Any]] = {
    "text": {"text": " river"},
    "a completion of nothing": {"text": ""},
    "content": {"delta": {"content": " river"}},
    "content in parts": {"delta": {"content": [{"type": "text", "text": " river"}]}},
    "reasoning": {"delta": {"reasoning_content": " river", "content": None}},
    "reasoning under two names": {
        "delta": {"reasoning": " river", "reasoning_details": [{"type": "x", "text": " river"}]}
    },
    "a refusal": {"message": {"refusal": " river", "content": None}},
    "a tool call": {
        "message": {
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": " river"}}]
        }
    },
    "a function call": {"delta": {"function_call": {"arguments": " river"}}},
    "a role": {"delta": {"role": "assistant", "content": ""}},
    "a role with empty keys": {
        "delta": {"role": "assistant", "content": None, "refusal": None, "tool_calls": []}
    },
    "an end": {"delta": {}, "finish_reason": "stop"},
    "nothing": {},
    "no object": {"delta": "x"},
}
SILENT = {
    "a completion of nothing",
    "a role",
    "a role with empty keys",
    "an end",
    "nothing",
    "no object",
}


@pytest.mark.parametrize("name", SAYS)
def test_what_carries_an_answer(name: str) -> None:
    silent = name in SILENT
    assert has_words(SAYS[name]) == (not silent)
    assert words(SAYS[name]) == ("" if silent else " river")


def test_words_have_a_depth() -> None:
    deep: Any = "deep"
    for _ in range(900):
        deep = [deep]
    assert words({"delta": {"content": deep}}) == ""
