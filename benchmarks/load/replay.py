"""Plays one share of a run in this process, and keeps an eye on whether it can keep up.

An open loop sends each request at its time, whatever became of those before it; only a limit on
requests in flight holds one back, and then the wait counts, since times are the schedule's.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import psutil

from benchmarks.load.counted_stream import CountedStream
from benchmarks.load.counter_snapshot import Edge, edge
from benchmarks.load.endpoint import Endpoint
from benchmarks.load.prompt import Prompts, Wording
from benchmarks.load.request_row import WHOLE, ErrorKind, Row
from benchmarks.load.request_sender import Sender, open_session
from benchmarks.load.schedule import Ask
from benchmarks.load.stream import Stream

TICK_S, LIGHT_TICK_S = 0.25, 1.0
LAG_STEP_S = 0.02
LAGS_MAX = 200_000  # over an hour


@dataclass(frozen=True, slots=True)
class SharePlan:
    """A share of a run: every ``workers``-th request, from number ``worker`` on. The counters are
    read at ``edges_s`` of the run, with the CPU of the processes that are ``watched``. A light one
    costs its client half: events are counted and not read, its own lag is not watched, and it
    seldom says how far it is."""

    endpoints: tuple[Endpoint, ...]  # of one model, asked in turn
    wording: Wording
    block_tokens: int
    seed: int
    asks: tuple[Ask, ...]
    is_closed: bool
    in_flight_max: int
    start_s: float  # of time.monotonic, the same in all processes
    lasting_s: float
    drain_s: float  # for what is under way at the end
    worker: int = 0
    workers: int = 1
    prompt: str = ""  # of every request; empty: each has its own, of its length
    spread_s: float = 0.0  # over which the streams of a closed loop start
    is_light: bool = False
    edges_s: tuple[float, ...] = ()
    watched: Mapping[str, int] = field(default_factory=dict)  # name → pid


@dataclass(frozen=True, slots=True)
class Health:
    """How busy one load process was. Near one core, or late in its own loop, it measures itself."""

    cpu_share: float
    lag_ms_p99: float
    edges: tuple[Edge, ...] = ()


@dataclass(slots=True)
class Counts:
    sent: int = 0
    answered: int = 0
    failed: int = 0

    @property
    def in_flight(self) -> int:
        return self.sent - self.answered - self.failed


class Player:
    """``taken`` hands over the rows that have come since it was last called."""

    def __init__(self, plan: SharePlan) -> None:
        self.counts = Counts()
        self.messages: dict[str, str] = {}
        self._plan = plan
        self._rows: list[Row] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._dispatched = 0
        self._sender: Sender | None = None
        self._lags_ms = array("f")
        self._edges: list[Edge] = []

    @property
    def tick_s(self) -> float:
        """How often it says how far it is."""
        return LIGHT_TICK_S if self._plan.is_light else TICK_S

    @property
    def token_events(self) -> int:
        return 0 if self._sender is None else self._sender.counters.events

    def taken(self) -> list[Row]:
        rows, self._rows = self._rows, []
        return rows

    def stop(self) -> None:
        """Ends the run at once; what is under way is written down as interrupted."""
        self._stopping.set()

    async def play(self) -> Health:
        plan = self._plan
        async with open_session(plan.endpoints[0]) as session:
            stream = CountedStream if plan.is_light else Stream
            self._sender = Sender(plan.endpoints, session, plan.start_s, stream)
            self.messages = self._sender.messages
            prompts = Prompts(plan.wording, plan.seed, plan.block_tokens)
            watching = None if plan.is_light else asyncio.create_task(self._watch_lag())
            cpu_s, from_s = time.process_time(), time.monotonic()
            loop = self._closed(prompts) if plan.is_closed else self._open(prompts)
            await self._until_stopped(asyncio.gather(loop, self._read_edges(self._sender)))
            # Waiting for the last answers costs nothing: it would thin out what the load has cost.
            cpu_share = (time.process_time() - cpu_s) / max(1e-9, time.monotonic() - from_s)
            if watching is not None:
                watching.cancel()
            self._give_up_unsent(self._sender)
            await self._drain(self._sender)
        return Health(cpu_share, _p99(self._lags_ms), tuple(self._edges))

    async def _open(self, prompts: Prompts) -> None:
        plan = self._plan
        room = asyncio.Semaphore(plan.in_flight_max)
        for ask in plan.asks:
            body = self._body(ask, prompts)
            await self._sleep_until(ask.at_s)
            await room.acquire()
            task = asyncio.create_task(self._ask(ask, body, ask.at_s))
            task.add_done_callback(lambda _: room.release())
            self._keep(task)
            self._dispatched += 1
        await self._sleep_until(plan.lasting_s)

    async def _closed(self, prompts: Prompts) -> None:
        await self._sleep_until(0.0)
        asks = self._endless()
        streams = self._plan.in_flight_max
        for number in range(streams):
            begin_s = self._plan.spread_s * number / streams
            self._keep(asyncio.create_task(self._ask_on(asks, prompts, begin_s)))
        await self._sleep_until(self._plan.lasting_s)

    async def _ask_on(self, asks: Iterator[Ask], prompts: Prompts, begin_s: float) -> None:
        await self._sleep_until(begin_s)
        while self._now_s() < self._plan.lasting_s and not self._stopping.is_set():
            ask = next(asks)
            body = self._body(ask, prompts)
            if await self._ask(ask, body, self._now_s()) == ErrorKind.CONNECT:
                await asyncio.sleep(LAG_STEP_S)  # nobody there: asking on would only burn

    def _body(self, ask: Ask, prompts: Prompts) -> bytes:
        prompt = self._plan.prompt or prompts.text(ask)
        return self._plan.endpoints[0].body(prompt, ask.output_tokens)

    def _endless(self) -> Iterator[Ask]:
        plan = self._plan
        for number in itertools.count(plan.worker, plan.workers):
            yield replace(plan.asks[number % len(plan.asks)], number=number)

    async def _ask(self, ask: Ask, body: bytes, scheduled_s: float) -> str:
        assert self._sender is not None  # noqa: S101 -- made before any request is
        self.counts.sent += 1
        row = await self._sender.send(ask, body, scheduled_s)
        self._rows.append(row)
        if row.error == WHOLE:
            self.counts.answered += 1
        else:
            self.counts.failed += 1
        return row.error

    async def _until_stopped(self, running: asyncio.Future[tuple[None, None]]) -> None:
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait(
            (running, stopping), timeout=self._left_s(), return_when=asyncio.FIRST_COMPLETED
        )
        stopping.cancel()
        running.cancel()
        ended = (await asyncio.gather(running, return_exceptions=True))[0]
        if isinstance(ended, Exception):
            raise ended

    def _give_up_unsent(self, sender: Sender) -> None:
        """Held back by the limit until the end: due, and never answered."""
        if self._plan.is_closed or self._stopping.is_set():
            return
        unsent = [sender.unsent(ask) for ask in self._plan.asks[self._dispatched :]]
        self._rows += unsent
        self.counts.sent += len(unsent)
        self.counts.failed += len(unsent)

    async def _drain(self, sender: Sender) -> None:
        """What is under way may end; what has not by then is given up."""
        whole = asyncio.gather(*self._tasks, return_exceptions=True)
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait(
            (whole, stopping),
            timeout=self._left_s(),
            return_when=asyncio.FIRST_COMPLETED,
        )
        stopping.cancel()
        if self._stopping.is_set():
            sender.reason_to_cancel = ErrorKind.INTERRUPTED
        for task in tuple(self._tasks):
            task.cancel()
        for ended in await whole:
            if isinstance(ended, Exception):
                raise ended  # a defect here, not an error of the server's

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sleep_until(self, at_s: float) -> None:
        if (left_s := at_s - self._now_s()) > 0:
            await asyncio.sleep(left_s)

    async def _watch_lag(self) -> None:
        """At fixed times, as requests are due: a stall is late for each of those it covers."""
        due_s = time.monotonic()
        while len(self._lags_ms) < LAGS_MAX:
            due_s += LAG_STEP_S
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            self._lags_ms.append((time.monotonic() - due_s) * 1000)

    async def _read_edges(self, sender: Sender) -> None:
        watched = {name: psutil.Process(pid) for name, pid in self._plan.watched.items()}
        for at_s in self._plan.edges_s:
            await self._sleep_until(at_s)
            self._edges.append(edge(self._now_s(), sender.counters, watched))

    def _left_s(self) -> float:
        """Until everything is given up."""
        return max(0.0, self._plan.lasting_s + self._plan.drain_s - self._now_s())

    def _now_s(self) -> float:
        return time.monotonic() - self._plan.start_s


def _p99(values: array[float]) -> float:
    ordered = sorted(values)
    return ordered[int(0.99 * (len(ordered) - 1))] if ordered else 0.0
