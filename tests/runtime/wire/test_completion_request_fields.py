from __future__ import annotations

from typing import Any

import pytest

from runtime.errors import UnknownField
from tests.runtime.wire.bodies import (
    completion,
    refused,
    sent,
)


@pytest.mark.parametrize(
    ("prompt", "choices", "tokens", "texts"),
    [
        ("hi", 2, None, ["hi"]),
        (["hi", "you"], 4, None, ["hi", "you"]),
        ([1, 2, 3], 2, [3], []),
        ([[1, 2, 3], [4]], 4, [3, 1], []),
        (["hi"] * 128, 256, None, ["hi"] * 128),
    ],
)
def test_prompts_take_four_shapes(
    prompt: Any, choices: int, tokens: list[int] | None, texts: list[str]
) -> None:
    request = completion(prompt=prompt, n=2)
    assert request.choices == choices
    assert request.prompt_token_counts == tokens
    assert list(request.texts()) == texts
    assert [list(each) for each in request.texts_by_prompt()] == [[text] for text in texts]
    assert request.output_tokens_max(100) == 16
    assert sent(request) == {"model": "served", "prompt": prompt, "n": 2}


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"prompt": {}}, "prompt", "a list of such lists, not an object"),
        ({"prompt": []}, "prompt", "at least 1"),
        ({"prompt": ["a", 1]}, "prompt[1]", "a string, not an integer"),
        ({"prompt": [1, 2, "a"]}, "prompt[2]", "an integer, not a string"),
        ({"prompt": [[1], [2, None]]}, "prompt[1][1]", "an integer, not null"),
        ({"prompt": [[]]}, "prompt[0]", "at least 1"),
        ({"prompt": [-1]}, "prompt[0]", "at least 0"),
        ({"prompt": ["a"] * 257}, "prompt", "at most 256 item(s), not 257"),
        ({"prompt": ["a"] * 129, "n": 2}, "n", "at most 256"),
        ({"max_tokens": 0}, "max_tokens", "only when echo"),
        ({"logprobs": 21}, "logprobs", "at most 20"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "must be"),
    ],
)
def test_bad_completions(fields: dict[str, Any], param: str, says: str) -> None:
    error = refused(lambda: completion(**fields))
    assert error.param == param
    assert says in error.message


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"suffix": "after"}, "filling in the middle is not served"),
        ({"best_of": 2}, "send n"),
        ({"messages": [{}]}, "/v1/chat/completions"),
        ({"max_completion_tokens": 9}, "send max_tokens"),
        ({"tools": [{}]}, "no field"),
    ],
)
def test_completion_fields_that_are_not_served(fields: dict[str, Any], says: str) -> None:
    error = refused(lambda: completion(**fields), UnknownField)
    assert error.param == next(iter(fields))
    assert says in error.message


def test_what_clients_of_the_old_api_send_along() -> None:
    request = completion(best_of=1, suffix=None, echo=False, user=None)
    assert request.ignored == ("best_of",)
    assert sent(request) == {"model": "served", "prompt": "hi", "echo": False}
