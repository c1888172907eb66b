from __future__ import annotations

from typing import Any

import pytest

from runtime.http.choices import choice_index, each_choice, finish_reason


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
