"""Stalls and progress, seen from outside."""

from __future__ import annotations

from runtime.config import StreamConfig
from runtime.watchdog import Watchdog
from scheduler.replica import Replica
from tests.scheduler.given import replica

LIMITS = StreamConfig(first_token_ms_max=1_000, inter_token_ms_max=100)


class _Answer:
    def __init__(self) -> None:
        self.tokens_out = 0
        self.hides_its_start = False
        self.stalls = 0
        self.replica: Replica | None = None

    def waits_at(self, replica: Replica) -> bool:
        return replica == self.replica

    def stall(self) -> None:
        self.stalls += 1


def test_the_first_token_has_more_time_than_the_others() -> None:
    dog, answer = Watchdog(), _Answer()
    progress: list[tuple[str, int, float]] = []

    def look(now: float) -> int:
        dog.look(LIMITS, lambda *told: progress.append(told), now)
        return answer.stalls

    dog.watch("r", answer, 0.0)
    assert [look(0.0), look(0.5), look(1.0)] == [0, 0, 0]
    answer.tokens_out = 1
    assert [look(1.05), look(1.15)] == [0, 0]
    answer.tokens_out = 5
    assert [look(1.2), look(1.29)] == [0, 0]
    assert look(1.31) == 1
    assert progress == [("r", 0, 0.0), ("r", 1, 1.05), ("r", 5, 1.2)]


def test_who_is_not_watched_cannot_stall() -> None:
    dog, answer = Watchdog(), _Answer()
    dog.watch("r", answer, 0.0)
    dog.unwatch("r")
    dog.unwatch("never")
    dog.look(LIMITS, lambda *told: None, 99.0)
    dog.stall_all()
    assert answer.stalls == 0


def test_all_can_be_stalled_at_once() -> None:
    dog, answers = Watchdog(), [_Answer(), _Answer()]
    for number, answer in enumerate(answers):
        dog.watch(str(number), answer, 0.0)
    dog.stall_all()
    assert [answer.stalls for answer in answers] == [1, 1]


def test_an_answer_in_one_piece_is_presumed_to_have_started() -> None:
    dog, answer = Watchdog(), _Answer()
    answer.hides_its_start = True
    progress: list[tuple[str, int, float]] = []
    dog.watch("r", answer, 0.0)
    for now in (0.0, 0.2, 0.3, 0.5):
        dog.look(LIMITS, lambda *told: progress.append(told), now)
    assert progress == [("r", 0, 0.0), ("r", 1, 0.3)]
    dog.look(LIMITS, lambda *told: progress.append(told), 1.1)
    assert answer.stalls == 1  # its silence counts from the start all the same


def test_only_those_who_wait_at_a_replica_are_told_that_it_is_gone() -> None:
    gone, well = replica("r1"), replica("r2")
    dog, answers = Watchdog(), [_Answer() for _ in range(3)]
    for answer, at in zip(answers, (gone, well, None), strict=True):
        answer.replica = at
        dog.watch(str(at), answer, 0.0)
    assert dog.is_awaited(gone)
    assert not dog.is_awaited(replica("r1", generation=2))
    dog.forsake(gone)
    assert [answer.stalls for answer in answers] == [1, 0, 0]
