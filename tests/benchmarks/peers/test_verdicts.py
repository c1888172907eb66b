from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.open_loop import Answer
from benchmarks.peers.overload import Bill, Outcome, outcome_of
from benchmarks.peers.side_by_side import Row, row_of
from benchmarks.peers.verdicts import Verdict, judge
from tests.benchmarks.peers.test_overload import ASK, RATES, answer
from tests.benchmarks.peers.test_side_by_side import sample


def row(way: str, share: float, concurrency: int = 32) -> Row:
    return replace(row_of([sample(100.0, 100.0 * share)]), way=way, concurrency=concurrency)


def outcome(way: str, answers: list[Answer], bought: int = 0) -> Outcome:
    bill = Bill(bought, bought * ASK.prompt_tokens, bought * ASK.output_tokens)
    return outcome_of(way, 14.0, answers, bill, RATES, 10.0)


def verdicts(through: list[Row], outcomes: list[Outcome]) -> list[Verdict]:
    return judge(through, [], outcomes)


def test_chunk_rates_are_compared_as_shares_of_direct() -> None:
    rows = [row("baseload", 0.9), row("litellm", 0.1), row("vllm-router", 1.02)]
    rows += [row("baseload", 0.1, concurrency=8), row("litellm", 0.9, concurrency=8)]
    litellm, router, *_ = verdicts(rows, [])
    assert [litellm.value, router.value] == pytest.approx([9.0, 0.9 / 1.02])
    assert [litellm.holds, router.holds] == [True, False]


def test_what_was_not_measured_is_no_verdict() -> None:
    found = verdicts([row("baseload", 0.9)], [])
    assert [each.holds for each in found] == [None] * 6
    assert [each.value for each in found] == [None] * 6


def test_overload_needs_every_answer_and_the_best_price() -> None:
    whole = [answer() for _ in range(4)]
    halved = [answer(), answer(), answer(429, is_whole=False), answer(429, is_whole=False)]
    *_, answered, lead = verdicts(
        [], [outcome("direct", halved), outcome("baseload", whole, bought=2)]
    )
    assert (answered.value, answered.holds) == (1.0, True)
    assert lead.holds is True
    assert lead.value == pytest.approx(2.0)
    *_, answered, lead = verdicts(
        [], [outcome("direct", whole), outcome("baseload", halved, bought=2)]
    )
    assert (answered.value, answered.holds) == (0.5, False)
    assert lead.holds is False


def test_a_peer_that_attains_nothing_is_no_measure() -> None:
    nothing = [answer(429, is_whole=False)]
    *_, lead = verdicts([], [outcome("direct", nothing), outcome("baseload", [answer()])])
    assert lead.value is None
