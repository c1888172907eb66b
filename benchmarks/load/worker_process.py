"""A load process: plays the plans that come through its pipe, and tells what happens meanwhile.

It is a process of its own even where one is enough: drawing progress and reading meters must not
delay what is measured. Rows travel while the run goes on, so that a run that is cut short keeps
what it has.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event

import uvloop

from benchmarks.load.replay import Counts, Health, Player, SharePlan
from benchmarks.load.request_row import Row


@dataclass(frozen=True, slots=True)
class Ready:
    """Said once by a process that has started: starting takes longer than a run can wait."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What has happened so far, and the rows since the last one. ``health`` comes at the end."""

    counts: Counts
    token_events: int
    rows: list[Row]
    messages: dict[str, str]
    health: Health | None = None


def work(pipe: Connection, stopping: Event) -> None:
    """Plays plans until the pipe closes. Ctrl-C is the parent's to hear: it says what becomes of
    the run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):  # the parent is gone, or has no more to do
        pipe.send(Ready())
        while True:
            uvloop.run(_play(pipe.recv(), pipe, stopping))


async def _play(plan: SharePlan, pipe: Connection, stopping: Event) -> None:
    player = Player(plan)
    playing = asyncio.create_task(player.play())
    health: Health | None = None
    while health is None:
        await asyncio.wait((playing,), timeout=player.tick_s)
        if stopping.is_set():
            player.stop()
        health = playing.result() if playing.done() else None
        tick = Tick(
            player.counts, player.token_events, player.taken(), dict(player.messages), health
        )
        try:
            await asyncio.to_thread(pipe.send, tick)  # a slow reader must not stop the load
        except OSError:
            player.stop()
