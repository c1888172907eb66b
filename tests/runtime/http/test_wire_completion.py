from __future__ import annotations

from typing import Any

import pytest

from runtime.errors import UnknownField
from tests.runtime.http.bodies import (
    completion,
    refused,
    sent,
)


@pytest.mark.parametrize(
    ("prompt", "choices", "tokens", "chars"),
    [
        ("hi", 2, None, 2),
        (["hi", "you"], 4, None, 5),
        ([1, 2, 3], 2, 3, 0),
        ([[1, 2, 3], [4]], 4, 4, 0),
    ],
)
def test_prompts_take_four_shapes(
    prompt: Any, choices: int, tokens: int | None, chars: int
) -> None:
    request = completion(prompt=prompt, n=2)
    assert request.choices == choices
    assert request.prompt_tokens == tokens
    assert request.text_chars() == chars
    assert request.output_tokens_max(100) == 16
    assert sent(request) == {"model": "served", "prompt": prompt, "n": 2}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": {}}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt[1]"),
        ({"prompt": [[]]}, "prompt[0]"),
        ({"prompt": [-1]}, "prompt[0]"),
        ({"prompt": ["a"] * 3, "n": 8}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"logprobs": 21}, "logprobs"),
    ],
)
def test_bad_completions(fields: dict[str, Any], param: str) -> None:
    assert refused(lambda: completion(**fields)).param == param


@pytest.mark.parametrize("field", ["suffix", "best_of", "messages"])
def test_completion_fields_that_are_not_served(field: str) -> None:
    assert refused(lambda: completion(**{field: 1}), UnknownField).param == field
