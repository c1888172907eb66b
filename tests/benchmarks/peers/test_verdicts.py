from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.peers.overload import Bill, Outcome, outcome_of
from benchmarks.peers.side_by_side import Sample
from benchmarks.peers.verdicts import PeerVerdict, judge
from benchmarks.rig.open_loop import Answer
from tests.benchmarks.peers.test_overload import ASK, RATES, answer
from tests.benchmarks.peers.test_side_by_side import sample


def shared(way: str, *shares: float, concurrency: int = 32) -> list[Sample]:
    made = [sample(100.0, 100.0 * share) for share in shares]
    return [
        replace(each, way=way, through=replace(each.through, concurrency=concurrency))
        for each in made
    ]


def outcome(way: str, answers: list[Answer], bought: int = 0) -> Outcome:
    bill = Bill(bought, bought * ASK.prompt_tokens, bought * ASK.output_tokens)
    return outcome_of(way, 14.0, answers, bill, RATES, 10.0)


def verdicts(through: list[Sample], outcomes: list[Outcome]) -> list[PeerVerdict]:
    return judge(through, [], outcomes)


def test_chunk_rates_are_compared_as_shares_of_direct() -> None:
    samples = [*shared("baseload", 0.9), *shared("litellm", 0.1), *shared("vllm-router", 1.02)]
    samples += shared("baseload", 0.1, concurrency=8) + shared("litellm", 0.9, concurrency=8)
    litellm, router, *_ = verdicts(samples, [])
    assert [litellm.value, router.value] == pytest.approx([9.0, 0.9 / 1.02])
    assert [litellm.holds, router.holds] == [True, False]


def test_the_more_rounds_the_surer_and_two_are_not() -> None:
    ours, theirs = (0.9, 0.8, 1.0), (0.95, 1.05, 1.0)
    beside = shared("litellm", 0.2, 0.1)
    litellm, few, *_ = verdicts(
        shared("baseload", *ours) + shared("vllm-router", *theirs) + beside, []
    )
    assert litellm.value == pytest.approx(0.9 / 0.15)
    assert (litellm.low, litellm.high) == (None, None)
    _, many, *_ = verdicts(
        shared("baseload", *ours * 4) + shared("vllm-router", *theirs * 4) + beside, []
    )
    assert few.value == many.value == pytest.approx(0.9)
    assert few.low is not None
    assert many.low is not None
    assert many.high is not None
    assert few.high is not None
    assert few.low < many.low < 0.9 < many.high < few.high


def test_a_claim_holds_by_its_value_not_by_its_bounds() -> None:
    samples = shared("baseload", 0.8, 0.91, 1.0) + shared("vllm-router", 1.0, 1.0, 1.0)
    _, router, *_ = verdicts(samples, [])
    assert (router.low, router.high) == pytest.approx((0.8, 1.0))
    assert router.holds is True


def test_what_was_not_measured_is_no_verdict() -> None:
    found = verdicts(shared("baseload", 0.9, 0.9, 0.9), [])
    assert [each.holds for each in found] == [None] * 6
    assert [each.value for each in found] == [None] * 6
    assert [each.low for each in found] == [None] * 6


def test_overload_needs_every_answer_and_the_best_price() -> None:
    whole = [answer() for _ in range(4)]
    halved = [answer(), answer(), answer(429, is_whole=False), answer(429, is_whole=False)]
    *_, answered, lead = verdicts(
        [], [outcome("direct", halved), outcome("baseload", whole, bought=2)]
    )
    assert (answered.value, answered.holds) == (1.0, True)
    assert (answered.low, lead.high) == (None, None)
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
