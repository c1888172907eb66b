from __future__ import annotations

from itertools import pairwise

import pytest

from benchmarks.simulation.clock import Clock
from benchmarks.simulation.engine import EngineRequest
from benchmarks.simulation.faults import NOTICE_S, Death
from benchmarks.simulation.fleet import DISPATCH_S, HEARTBEAT_S, REPORT_S, Fleet, replica_name
from benchmarks.simulation.pools import SimPool
from scheduler.replica import LoadReport, Replica
from tests.benchmarks.simulation.example_profile import PROFILE

NAME = replica_name(0)


class Diary:
    """A watcher that writes down what it is told, and when."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.tokens: list[tuple[float, int]] = []
        self.reports: list[tuple[float, LoadReport]] = []
        self.generations: list[tuple[float, int]] = []
        self.left: list[float] = []
        self.broken: list[tuple[float, str]] = []

    def on_tokens(self, request: EngineRequest) -> None:
        self.tokens.append((self._clock.now, request.tokens_out))

    def on_report(self, report: LoadReport) -> None:
        self.reports.append((self._clock.now, report))

    def on_joined(self, replica: Replica) -> None:
        self.generations.append((self._clock.now, replica.generation))

    def on_left(self, replica_id: str) -> None:
        self.left.append(self._clock.now)

    def on_broken(self, request_id: str) -> None:
        self.broken.append((self._clock.now, request_id))


def start() -> tuple[Clock, Fleet, Diary]:
    clock = Clock()
    diary = Diary(clock)
    fleet = Fleet([SimPool("m", PROFILE, 2)], 64, clock, diary)
    fleet.boot(NAME)
    return clock, fleet, diary


def run_until(clock: Clock, end_s: float) -> None:
    clock.at(end_s, lambda _: None)
    clock.run(lambda: clock.now >= end_s)


def test_an_idle_replica_reports_when_it_joins_and_then_by_heartbeat() -> None:
    clock, _, diary = start()
    run_until(clock, 1.8)
    times = [at_s for at_s, _ in diary.reports]
    assert times == pytest.approx([0.0, HEARTBEAT_S, 2 * HEARTBEAT_S, 3 * HEARTBEAT_S])


def test_a_busy_replica_reports_after_steps_but_not_after_each() -> None:
    clock, fleet, diary = start()
    fleet.send(NAME, EngineRequest("a", 100, 101))
    run_until(clock, 3.0)
    first_s = DISPATCH_S + PROFILE.step_s(0, 0, 100)
    assert diary.tokens[0] == pytest.approx((first_s, 1))
    assert diary.tokens[-1][1] == 101
    end_s = diary.tokens[-1][0]
    busy = [at_s for at_s, report in diary.reports if report.running]
    gaps = [later - earlier for earlier, later in pairwise(busy)]
    assert min(gaps) >= REPORT_S - 1e-6
    assert max(gaps) < REPORT_S + 2 * PROFILE.step_s(1, 300, 0)
    # That it is idle is told as soon as a report may be sent again.
    idle_s = next(at_s for at_s, report in diary.reports if at_s > 0 and not report.running)
    assert end_s <= idle_s <= end_s + REPORT_S
    assert diary.reports[-1][1].decoded_tokens == 101


def test_a_death_breaks_off_all_that_is_there_or_on_its_way() -> None:
    clock, fleet, diary = start()
    fleet.send(NAME, EngineRequest("a", 100, 1_000))
    clock.at(1.0, fleet.die, Death(0, 1.0, back_after_s=5.0))
    clock.at(1.0 - DISPATCH_S / 2, lambda _: fleet.send(NAME, EngineRequest("b", 100, 5)))
    run_until(clock, 4.0)
    assert diary.broken == [(1.0, "a"), (pytest.approx(1.0 + DISPATCH_S / 2), "b")]
    assert diary.left == [1.0 + NOTICE_S]
    assert max(at_s for at_s, _ in diary.reports) <= 1.0
    run_until(clock, 6.2)
    assert diary.generations == [(0.0, 1), (6.0, 2)]
    assert diary.reports[-1][1].generation == 2
    assert fleet.totals().busy_s == pytest.approx(1.0, abs=0.05)


def test_one_that_is_back_before_its_death_was_noticed_does_not_leave() -> None:
    clock, fleet, diary = start()
    clock.at(1.0, fleet.die, Death(0, 1.0, back_after_s=NOTICE_S / 2))
    run_until(clock, 4.0)
    assert diary.left == []
    assert diary.generations[-1][1] == 2
