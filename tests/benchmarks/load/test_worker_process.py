"""The last word of a load process must reach the parent, however slow the parent reads."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from typing import cast

from benchmarks.load.request_row import WHOLE
from benchmarks.load.schedule import Traffic
from benchmarks.load.worker_process import Tick, _play
from tests.benchmarks.load.scripted import Script, upstream
from tests.benchmarks.load.test_replay import plan_of


class SlowPipe:
    def __init__(self, ends_after: int | None = None) -> None:
        self.ticks: list[Tick] = []
        self._ends_after = ends_after

    def send(self, tick: Tick) -> None:
        time.sleep(0.4)
        self.ticks.append(tick)
        if self._ends_after is not None and len(self.ticks) >= self._ends_after:
            raise BrokenPipeError


async def told(pipe: SlowPipe, lasting_s: float, stopping: Event) -> list[Tick]:
    traffic = Traffic("fixed", 20.0, input_tokens=20, output_tokens=2)
    async with upstream(Script()) as url:
        await _play(plan_of(url, traffic, lasting_s), cast(Connection, pipe), stopping)
    return pipe.ticks


def event() -> Event:
    return multiprocessing.get_context("spawn").Event()


async def test_a_run_that_ends_while_a_tick_is_sent_still_says_so() -> None:
    ticks = await told(SlowPipe(), 0.35, event())
    assert [tick.health is not None for tick in ticks] == [False] * (len(ticks) - 1) + [True]
    assert sorted(row.number for tick in ticks for row in tick.rows) == list(range(7))
    assert {row.error for tick in ticks for row in tick.rows} == {WHOLE}


async def test_it_ends_when_it_is_told_to_or_when_the_parent_is_gone() -> None:
    stopping = event()
    stopping.set()
    started_s = time.monotonic()
    assert (await told(SlowPipe(), 60.0, stopping))[-1].health is not None
    assert (await told(SlowPipe(ends_after=1), 60.0, event()))[-1].health is not None
    assert time.monotonic() - started_s < 10
