"""Requests to test with, and how to look at what became of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from runtime.errors import BadRequest, BaseloadError
from runtime.wire.dialect import UpstreamModel
from runtime.wire.parse_request import ChatRequest, parse_chat, parse_completion, to_upstream

USER: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object"}},
}


def chat(**fields: Any) -> ChatRequest:
    return parse_chat(json.dumps({"model": "m", "messages": USER, **fields}).encode())


def completion(**fields: Any) -> Any:
    return parse_completion(json.dumps({"model": "m", "prompt": "hi", **fields}).encode())


def sent(request: Any, *, openai_only: bool = False) -> dict[str, Any]:
    upstream = UpstreamModel("served", is_vendor=openai_only)
    told: dict[str, Any] = json.loads(to_upstream(request, upstream))
    return told


def refused(parse: Callable[[], Any], kind: type[BaseloadError] = BadRequest) -> BaseloadError:
    with pytest.raises(BaseloadError) as caught:
        parse()
    assert type(caught.value) is kind
    assert len(caught.value.message) < 300
    return caught.value


EVERY_FIELD: dict[str, Any] = {
    "max_tokens": 5,
    "temperature": 0.5,
    "top_p": 0.9,
    "n": 2,
    "stop": ["a", "b"],
    "seed": -1,
    "presence_penalty": 1,
    "frequency_penalty": -2,
    "logit_bias": {"17": -100},
    "stream": True,
    "logprobs": True,
    "top_logprobs": 3,
    "tools": [TOOL],
    "tool_choice": {"type": "function", "function": {"name": "look_up"}},
    "parallel_tool_calls": False,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "s", "schema": {"enum": [None, 1.5, "中"]}, "strict": True},
    },
    "reasoning_effort": "low",
    "top_k": 5,
    "min_p": 0.1,
    "repetition_penalty": 1.1,
    "min_tokens": 1,
    "ignore_eos": False,
    "cache_salt": "salt",
}
CLIENT_ONLY: dict[str, Any] = {
    "user": "u-canary",
    "safety_identifier": "u-canary",
    "prompt_cache_key": "u-canary",
    "metadata": {"k": "u-canary"},
    "store": False,
    "service_tier": "auto",
    "stream_options": {"include_usage": False, "include_obfuscation": False},
}
HINTED = {"top_k", "min_p", "repetition_penalty", "min_tokens", "ignore_eos", "cache_salt"}
# What local replicas serve and vendors do not: a value that matters, for each field.
LOCAL: dict[str, Any] = {
    "stop_token_ids": [7],
    "bad_words": ["no"],
    "allowed_token_ids": [1, 2],
    "include_stop_str_in_output": True,
    "skip_special_tokens": False,
    "spaces_between_special_tokens": False,
    "add_special_tokens": True,
    "thinking_token_budget": 0,
    "return_token_ids": True,
    "return_tokens_as_token_ids": True,
    "structured_outputs": {"choice": ["yes", "no"]},
}
LOCAL_CHAT: dict[str, Any] = {
    **LOCAL,
    "chat_template_kwargs": {"enable_thinking": False, "thinking_budget": 9, "date_string": "x"},
    "continue_final_message": True,
    "add_generation_prompt": False,
    "include_reasoning": False,
}
