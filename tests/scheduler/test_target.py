from __future__ import annotations

import pytest

from scheduler.decision import Refusal, verdicts_on
from scheduler.target import Incarnation, Target, TargetKind
from tests.scheduler.given import at_offer, local, offer, replica


@pytest.mark.parametrize(
    ("target", "word"),
    [
        (Target(TargetKind.LOCAL, "tiny-moe-r1"), "local:tiny-moe-r1"),
        (Target(TargetKind.OFFER, "vendor/a/model:free"), "offer:vendor/a/model:free"),
        (Target(TargetKind.LOCAL, "零-1"), "local:零-1"),
    ],
)
def test_the_word_for_a_target_in_headers_ledger_and_metrics(target: Target, word: str) -> None:
    assert str(target) == word
    assert word == target.kind.prefix + target.id


def test_replicas_and_offers_say_which_target_they_are() -> None:
    assert replica("r1").target == Target(TargetKind.LOCAL, "r1") == local("r1")
    assert offer("v/m").target == Target(TargetKind.OFFER, "v/m") == at_offer("v/m")
    assert local("x") != at_offer("x")


def test_each_boot_of_a_replica_is_another_incarnation() -> None:
    first, second = (replica("r1", generation=n).incarnation for n in (1, 2))
    assert first == Incarnation(local("r1"), 1)
    assert first != second
    assert first.target == second.target


def test_there_is_a_verdict_for_every_refusal_and_for_none() -> None:
    verdicts = verdicts_on(local("r1"))
    assert set(verdicts) == {None, *Refusal}
    for refusal, verdict in verdicts.items():
        assert (verdict.target, verdict.refusal) == (local("r1"), refusal)
