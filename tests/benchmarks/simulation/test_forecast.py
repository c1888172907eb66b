from __future__ import annotations

from typing import Any, cast

import pytest

from benchmarks.simulation.forecast import forecast
from benchmarks.simulation.pools import MODEL
from benchmarks.simulation.workload import Request


def request(output_tokens: int) -> Request:
    return Request("r", 0.0, 500, output_tokens, 4_096, 2_000, (), ())


def test_the_truth_is_told_from_the_first_request() -> None:
    told = forecast("told")
    for tokens in (1, 7, 3_000):
        assert told.curve(request(tokens), MODEL).mean(4_096) == pytest.approx(tokens)


def test_what_is_learned_comes_from_what_has_ended() -> None:
    learned = forecast("learned")
    before = learned.curve(request(40), MODEL).mean(4_096)
    for _ in range(300):
        learned.learn(request(40), MODEL)
    after = learned.curve(request(2_000), MODEL).mean(4_096)
    assert abs(before - 40) > 100
    assert after == pytest.approx(40, rel=0.2)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="use learned or told"):
        forecast(cast(Any, "guessed"))
