"""What applications send besides the contract, answered by a real engine."""

from __future__ import annotations

import json
import re
from typing import Any

import openai
import pytest

from tests.stack.running import Stack
from tests.stack.test_bad_input import CHAT, changed, send

USER = {"role": "user", "content": "Hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "look up", "arguments": "{}"}}
TOOL = {
    "type": "function",
    "cache_control": {"type": "ephemeral"},
    "function": {
        "name": "look up",
        "description": "d" * 500,
        "parameters": {"type": "object", "properties": {"a": {"pattern": "(?!x)"}}},
    },
}
CODE = {
    "type": "object",
    "properties": {"code": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{3}$"}},
    "required": ["code"],
    "additionalProperties": False,
}
UNFIT = {"type": "array", "items": {"type": "integer", "multipleOf": 2}, "uniqueItems": True}


def asked(stack: Stack, path: str = CHAT, **fields: Any) -> tuple[dict[str, Any], list[str]]:
    """The answer, and what it says was ignored."""
    status, told, headers = send(stack, "POST", path, changed(**fields))
    assert status == 200, told
    ignored = headers.get("x-baseload-ignored", "")
    return told, ignored.split(", ") if ignored else []


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        ({"store": True, "service_tier": "flex", "verbosity": "low"}, 3),
        ({"chat_template_kwargs": {"enable_thinking": False}}, 0),
        ({"stop": [*"abcde"], "stop_token_ids": [5], "bad_words": ["the"]}, 0),
        ({"skip_special_tokens": False, "include_stop_str_in_output": True}, 0),
        ({"allowed_token_ids": [20, 21], "return_token_ids": True, "min_tokens": 1}, 0),
        ({"cache_salt": "salt", "thinking_token_budget": -1, "include_reasoning": False}, 0),
        ({"tools": [TOOL], "tool_choice": "auto"}, 1),
        (
            {
                "messages": [
                    {"role": "user", "content": ["Hi", {"type": "input_text", "text": "you"}]},
                    {"role": "assistant", "content": None, "reasoning_content": "hm"},
                    {"role": "assistant", "content": [], "tool_calls": [{**CALL, "index": 1}]},
                    {"role": "tool", "tool_call_id": "c1", "content": []},
                    {"role": "user", "content": "Go on", "name": "Ann Lee"},
                ]
            },
            1,
        ),
        (
            {
                "continue_final_message": True,
                "messages": [USER, {"role": "assistant", "content": "Once"}],
            },
            0,
        ),
    ],
)
def test_an_engine_answers(audited: Stack, fields: dict[str, Any], ignored: int) -> None:
    told, named = asked(audited, **fields)
    assert told["choices"][0]["finish_reason"]
    assert len(named) == ignored


def test_an_answer_keeps_to_its_expression(audited: Stack) -> None:
    told, _ = asked(audited, structured_outputs={"regex": "[A-Z]{3}-[0-9]{4}"}, max_tokens=20)
    assert re.fullmatch("[A-Z]{3}-[0-9]{4}", told["choices"][0]["message"]["content"])
    told, _ = asked(audited, structured_outputs={"choice": ["yes", "no"]}, max_tokens=5)
    assert told["choices"][0]["message"]["content"] in ("yes", "no")
    form = {"type": "json_schema", "json_schema": {"name": "a code", "schema": CODE}}
    for _ in range(5):  # random weights may fill one in twenty with blanks
        told, named = asked(audited, response_format=form, max_tokens=200)
        if told["choices"][0]["finish_reason"] == "stop":
            break
    assert told["choices"][0]["finish_reason"] == "stop"
    said = json.loads(told["choices"][0]["message"]["content"])
    assert re.fullmatch("[A-Z]{2}[0-9]{3}", said["code"])
    assert named == []


def test_a_schema_that_no_engine_can_hold_whole_is_held_in_part(audited: Stack) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": UNFIT}}
    _, named = asked(audited, response_format=form)
    at = "response_format.json_schema.schema"
    assert named == [f"{at}.uniqueItems", f"{at}.multipleOf"]


@pytest.mark.parametrize("pattern", ["^([a-z]{1,100}){1,100}$", r"(?<=a)b", r"\p{Han}"])
def test_an_expression_that_would_hold_an_engine_up_never_reaches_it(
    audited: Stack, pattern: str
) -> None:
    schema = {"type": "string", "pattern": pattern}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    status, told, _ = send(audited, "POST", CHAT, changed(response_format=form))
    assert status == 400
    assert told["error"]["param"].startswith("response_format.json_schema.schema")
    asked(audited)


def test_as_many_prompts_as_evaluations_send(audited: Stack, client: openai.OpenAI) -> None:
    answer = client.completions.create(model="tiny-moe", prompt=["Once"] * 40, max_tokens=2)
    assert [choice.index for choice in answer.choices] == list(range(40))


def test_usage_in_every_frame(audited: Stack, client: openai.OpenAI) -> None:
    """As GuideLLM asks for it."""
    frames = list(
        client.chat.completions.create(
            model="tiny-moe",
            messages=[{"role": "user", "content": "Hi"}],
            max_tokens=6,
            stream=True,
            stream_options={"include_usage": True},
            extra_body={"stream_options": {"include_usage": True, "continuous_usage_stats": True}},
        )
    )
    counts = [frame.usage.completion_tokens for frame in frames if frame.usage]
    assert len(counts) == len(frames)
    assert counts == sorted(counts)
    assert counts[-1] <= 6
