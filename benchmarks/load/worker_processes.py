"""The load processes of a benchmark, started once and given one run after another."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from typing import Self, TypeAlias

from benchmarks.load.replay import TICK_S, Counts, Health, SharePlan
from benchmarks.load.request_row import Row
from benchmarks.load.stop_signal import Halt
from benchmarks.load.worker_process import Tick, work

LEAD_S = 0.3  # from handing out the plans to their first request
LEAD_PER_ASK_S = 5e-5  # handing them out takes time itself
STOP_S_MAX = 10.0
CPU_SHARE_MAX = 0.8  # of a core, above which a process may itself be what is slow
LAG_MS_MAX = 50.0  # how late a process may be in its own loop


@dataclass(frozen=True, slots=True)
class Pulse:
    """The state of a run as of this moment, of all processes."""

    at_s: float
    sent: int
    answered: int
    failed: int
    token_events: int
    rows: list[Row]  # that came since the last one

    @property
    def in_flight(self) -> int:
        return self.sent - self.answered - self.failed


@dataclass(slots=True)
class Played:
    rows: list[Row] = field(default_factory=list)
    health: list[Health] = field(default_factory=list)
    messages: dict[str, str] = field(default_factory=dict)
    lost_processes: int = 0
    interrupted_s: float | None = None  # when the run was stopped, if it was
    start_s: float = 0.0  # of time.monotonic

    @property
    def is_client_bottleneck(self) -> bool:
        return any(
            each.cpu_share > CPU_SHARE_MAX or each.lag_ms_p99 > LAG_MS_MAX for each in self.health
        )


OnPulse: TypeAlias = Callable[[Pulse], None]


class Crew:
    """``play`` runs one plan in all processes. Leaving the context ends them."""

    def __init__(self, size: int) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would copy the parent's threads
        self._stopping = context.Event()
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(size):
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(theirs, self._stopping), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        for pipe in self._pipes:
            pipe.recv()  # Ready

    @property
    def size(self) -> int:
        return len(self._pipes)

    def play(self, plan: SharePlan, on_pulse: OnPulse, halt: Halt) -> Played:
        lead_s = LEAD_S + LEAD_PER_ASK_S * len(plan.asks)
        played = Played(start_s=time.monotonic() + lead_s)
        self._stopping.clear()
        live = set(self._pipes)
        last = dict.fromkeys(self._pipes, Tick(Counts(), 0, [], {}))
        for pipe, share in zip(self._pipes, shares(plan, self.size, played.start_s), strict=True):
            pipe.send(share)
        while live:
            new = self._hear(live, last, played)
            on_pulse(_pulse(last.values(), new, time.monotonic() - played.start_s))
            if halt.is_wanted and played.interrupted_s is None:
                played.interrupted_s = time.monotonic() - played.start_s
                self._stopping.set()
        return played

    def _hear(
        self, live: set[Connection], last: dict[Connection, Tick], played: Played
    ) -> list[Row]:
        """The rows that came."""
        new: list[Row] = []
        for pipe in wait(list(live), timeout=TICK_S):
            assert isinstance(pipe, Connection)  # noqa: S101 -- nothing else is waited for
            try:
                tick = pipe.recv()
            except (EOFError, OSError):
                played.lost_processes += 1
                live.discard(pipe)
                continue
            last[pipe] = tick
            new += tick.rows
            played.messages = tick.messages | played.messages
            if tick.health is not None:
                played.health.append(tick.health)
                live.discard(pipe)
        played.rows += new
        return new

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(STOP_S_MAX)
            if process.is_alive():
                process.kill()
                process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def shares(plan: SharePlan, workers: int, start_s: float) -> Sequence[SharePlan]:
    """Requests in turn; what may be in flight, as evenly as it can be. Who may have none in flight
    idles: one each would be more than the limit."""
    whole, rest = divmod(plan.in_flight_max, workers)
    busy = min(workers, plan.in_flight_max)
    return [
        replace(
            plan,
            asks=plan.asks if plan.is_closed else plan.asks[number::busy] if number < busy else (),
            in_flight_max=whole + (number < rest),
            start_s=start_s,
            worker=number,
            workers=busy,
        )
        for number in range(workers)
    ]


def _pulse(ticks: Collection[Tick], new: list[Row], at_s: float) -> Pulse:
    return Pulse(
        at_s=at_s,
        sent=sum(tick.counts.sent for tick in ticks),
        answered=sum(tick.counts.answered for tick in ticks),
        failed=sum(tick.counts.failed for tick in ticks),
        token_events=sum(tick.token_events for tick in ticks),
        rows=new,
    )
