"""Counts under the names of the vendors that are known, and counts that contradict one another."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.wire.reported_usage import TOKENS_MAX, Tally, Usage

# As each tells it of 100 prompt tokens, 60 of them from its cache, and 9 of answer.
VENDORS: dict[str, dict[str, Any]] = {
    "OpenAI, vLLM, xAI, Fireworks, Mistral, Alibaba": {
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 9,
            "total_tokens": 109,
            "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 4},
        }
    },
    "DeepSeek": {
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 9,
            "total_tokens": 109,
            "prompt_cache_hit_tokens": 60,
            "prompt_cache_miss_tokens": 40,
        }
    },
    "Moonshot, Together": {
        "usage": {"prompt_tokens": 100, "completion_tokens": 9, "cached_tokens": 60}
    },
    "Moonshot's streams": {
        "choices": [
            {
                "index": 0,
                "delta": {},
                "finish_reason": "stop",
                "usage": {"prompt_tokens": 100, "completion_tokens": 9, "cached_tokens": 60},
            }
        ]
    },
    "Groq's streams": {
        "choices": [],
        "x_groq": {
            "id": "req_1",
            "usage": {
                "prompt_tokens": 100,
                "completion_tokens": 9,
                "prompt_tokens_details": {"cached_tokens": 60},
            },
        },
    },
    "Anthropic": {
        "usage": {
            "input_tokens": 30,
            "cache_read_input_tokens": 60,
            "cache_creation_input_tokens": 10,
            "output_tokens": 9,
        }
    },
    "OpenAI's Responses": {
        "usage": {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 60},
            "output_tokens": 9,
            "output_tokens_details": {"reasoning_tokens": 4},
            "total_tokens": 109,
        }
    },
    "both names, one of them at 0": {
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 9,
            "input_tokens": 0,
            "output_tokens": 0,
            "cached_tokens": 0,
            "prompt_tokens_details": {"cached_tokens": 60},
        }
    },
    "both names, the same": {
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 9,
            "input_tokens": 100,
            "output_tokens": 9,
            "cache_read_input_tokens": 60,
        }
    },
}


def told(*bodies: dict[str, Any]) -> Usage | None:
    tally = Tally()
    for body in bodies:
        tally.add(body)
    return tally.usage


def counts(usage: Usage | None) -> tuple[int | None, ...] | None:
    if usage is None:
        return None
    return usage.prompt_tokens, usage.cached_tokens, usage.output_tokens


@pytest.mark.parametrize("body", VENDORS.values(), ids=VENDORS.keys())
def test_a_vendors_names_for_counts(body: dict[str, Any]) -> None:
    assert counts(told(body)) == (100, 60, 9)


def openai(prompt: Any, completion: Any, **more: Any) -> dict[str, Any]:
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": completion, **more}}


@pytest.mark.parametrize(
    ("body", "output"),
    [
        (openai(32, 9, total_tokens=135), 103),  # xAI: reasoning is in the total alone
        (openai(32, 9, total_tokens=135, reasoning_tokens=94), 103),
        (openai(32, 9, completion_tokens_details={"reasoning_tokens": 94}), 103),
        (openai(21, 0, total_tokens=81, completion_tokens_details={"reasoning_tokens": 60}), 60),
        (openai(32, 103, total_tokens=135, reasoning_tokens=94), 103),
        (openai(32, None, total_tokens=135), 103),
        (openai(32, 9, total_tokens=41), 9),
        (openai(32, 9, total_tokens=9), 9),
        (openai(32, 9, total_tokens=0), 9),
        (openai(0, 9, total_tokens=135), 9),  # of what is the rest?
    ],
)
def test_reasoning_beside_the_completion_is_output(body: dict[str, Any], output: int) -> None:
    usage = told(body)
    assert usage is not None
    assert usage.output_tokens == output


def test_a_count_never_falls() -> None:
    assert counts(told(openai(1000, 500, cached_tokens=7), openai(0, 0))) == (1000, 7, 500)
    assert counts(told(openai(0, 0), openai(1000, 500))) == (1000, None, 500)
    assert counts(told(openai(9, 1), openai(9, 2), openai(9, 3))) == (9, None, 3)
    assert counts(told(openai(9, 3), {"usage": None}, {"usage": {}}, {})) == (9, None, 3)


def choice(index: Any, completion: int) -> dict[str, Any]:
    return {"index": index, "usage": {"prompt_tokens": 30, "completion_tokens": completion}}


def test_choices_that_tell_their_own_usage_share_a_prompt() -> None:
    frames = [{"choices": [choice(0, 4)]}, {"choices": [choice(1, 5)]}, {"choices": [choice(1, 6)]}]
    assert counts(told(*frames)) == (30, None, 10)
    assert counts(told({"choices": [choice(0, 4), choice(1, 6)]})) == (30, None, 10)
    assert counts(told(*frames, openai(31, 11))) == (31, None, 11)  # of all of them
    assert counts(told({"choices": [choice(None, 4)]})) == (30, None, 4)
    assert told({"choices": [choice(-1, 4)]}, {"choices": [choice(10**6, 4)]}) is None


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        "9",
        {},
        openai(True, True)["usage"],
        openai("9", 9.5)["usage"],
        openai(-1, -1)["usage"],
        openai(TOKENS_MAX + 1, TOKENS_MAX + 1)["usage"],
        {"total_tokens": 9},
    ],
)
def test_what_is_no_count_is_not_told(usage: Any) -> None:
    assert told({"usage": usage}) is None
    assert told({"choices": [{"usage": usage}, usage], "x_groq": usage}) is None


def test_half_a_report_is_half_a_report() -> None:
    assert counts(told({"usage": {"prompt_tokens": 9}})) == (9, None, None)
    assert counts(told({"usage": {"completion_tokens": 9}})) == (None, None, 9)
    assert counts(told({"usage": {"prompt_tokens": 9, "cached_tokens": 50}})) == (9, 9, None)
