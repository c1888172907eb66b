"""Real processes, which take a while to start: one crew for several questions."""

from __future__ import annotations

import os
import signal
import threading

from benchmarks.load.replay import Health
from benchmarks.load.request_row import WHOLE, ErrorKind
from benchmarks.load.schedule import Traffic
from benchmarks.load.stop_signal import Halt
from benchmarks.load.worker_processes import Crew, Played, Pulse, shares
from tests.benchmarks.load.scripted import Script, serving
from tests.benchmarks.load.test_replay import plan_of


def test_two_processes_play_one_run_and_one_can_be_lost_or_all_stopped() -> None:
    traffic = Traffic("fixed", 40.0, input_tokens=20, output_tokens=3)
    pulses: list[Pulse] = []
    with serving(Script(step_s=0.005)) as url, Crew(2) as crew, Halt() as halt:
        whole = crew.play(plan_of(url, traffic, 1.0), pulses.append, halt)
        assert sorted(row.number for row in whole.rows) == list(range(40))
        assert {row.error for row in whole.rows} == {WHOLE}
        assert len(whole.health) == 2
        assert pulses[-1].sent == pulses[-1].answered == 40
        assert sum(len(pulse.rows) for pulse in pulses) == 40
        assert pulses[-1].token_events == 120

        threading.Timer(1.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        cut = crew.play(plan_of(url, traffic, 60.0), pulses.append, halt)
        assert cut.interrupted_s is not None
        assert {row.error for row in cut.rows} <= {WHOLE, ErrorKind.INTERRUPTED}
        assert 5 < len(cut.rows) < 400
        halt.is_wanted = False

        threading.Timer(0.8, crew._processes[0].kill).start()
        left = crew.play(plan_of(url, traffic, 1.5), pulses.append, halt)
        assert left.lost_processes == 1
        assert {row.number % 2 for row in left.rows if row.scheduled_s > 1.2} == {1}
    assert not any(process.is_alive() for process in crew._processes)


def test_shares_are_whole_and_even() -> None:
    traffic = Traffic("fixed", 5.0, concurrency=5)
    parts = shares(plan_of("http://h/v1", traffic, 2.0), 3, 7.0)
    assert sorted(ask.number for part in parts for ask in part.asks) == list(range(10))
    assert [part.in_flight_max for part in parts] == [2, 2, 1]
    assert [(part.worker, part.workers, part.start_s) for part in parts] == [
        (0, 3, 7.0),
        (1, 3, 7.0),
        (2, 3, 7.0),
    ]


def test_more_processes_than_may_be_under_way_do_not_raise_the_limit() -> None:
    opened = shares(plan_of("http://h/v1", Traffic("fixed", 5.0, concurrency=2), 2.0), 3, 7.0)
    assert [part.in_flight_max for part in opened] == [1, 1, 0]
    assert [len(part.asks) for part in opened] == [5, 5, 0]
    closed = shares(plan_of("http://h/v1", Traffic("closed", concurrency=1), 2.0), 2, 7.0)
    assert [part.in_flight_max for part in closed] == [1, 0]
    assert {part.workers for part in closed} == {1}


def test_a_client_that_is_busy_or_late_is_the_bottleneck() -> None:
    assert not Played(health=[Health(0.5, 5.0)]).is_client_bottleneck
    assert Played(health=[Health(0.5, 5.0), Health(0.95, 5.0)]).is_client_bottleneck
    assert Played(health=[Health(0.1, 400.0)]).is_client_bottleneck
