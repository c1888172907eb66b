"""What an engine is asked for tokens: what the prompt is made of, and nothing else."""

from __future__ import annotations

import json
from typing import Any

from runtime.wire.token_requests import parse_detokenize, parse_tokenize

USER = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


def _sent(**fields: Any) -> dict[str, Any]:
    asked = parse_tokenize(json.dumps({"model": "m", **fields}).encode())
    told: dict[str, Any] = json.loads(asked.to_engine())
    assert told.pop("model") == "m"
    return told


def test_a_prompt_with_its_options() -> None:
    options = {"add_special_tokens": False, "return_token_strs": True}
    assert _sent(prompt="", **options) == {"prompt": "", **options}


def test_a_chat_without_what_does_not_make_its_prompt() -> None:
    assert _sent(messages=USER, tools=[TOOL], temperature=1, n=2, add_generation_prompt=False) == {
        "messages": USER,
        "tools": [TOOL],
        "add_generation_prompt": False,
    }


def test_what_a_template_reads_goes_to_it() -> None:
    assert _sent(messages=USER, reasoning_effort="low") == {
        "messages": USER,
        "chat_template_kwargs": {"reasoning_effort": "low"},
    }


def test_tokens() -> None:
    asked = parse_detokenize(b'{"model": "m", "tokens": [1, 2]}')
    assert json.loads(asked.to_engine()) == {"model": "m", "tokens": [1, 2]}
