"""Two attempts at once: where the first has said nothing for so long, a rival is asked as well.

The first to speak wins, before anything was sent. The other is cut off at once: its row says what
is known of its cost by then, at its own price, and the rest is in doubt up to its bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from runtime.errors import UpstreamFailed
from runtime.open_attempt import Opening
from runtime.relay import Relay
from runtime.wire.dialect import WholeAnswer

Task = asyncio.Task[Relay | WholeAnswer]


async def first_to_speak(
    first: Opening, after_s: float, rival: Callable[[], Opening | None]
) -> tuple[Opening, Relay | WholeAnswer]:
    """``rival`` is asked for once, after so long a silence; None if there is none. Raises what
    ended the last of them, or what ends the request whoever else is asked."""
    racers: dict[Task, Opening] = {_started(first): first}
    try:
        await asyncio.wait(racers, timeout=after_s)
        if not any(task.done() for task in racers) and (second := rival()) is not None:
            racers[_started(second)] = second
        winner, opened = await _winner(racers)
    except asyncio.CancelledError:  # the client has left: its passage ends all attempts
        for task in racers:
            task.cancel()
        raise
    except BaseException:
        _cut_off(racers, None)
        raise
    _cut_off(racers, winner)
    return winner, opened


def _started(opening: Opening) -> Task:
    task = asyncio.ensure_future(opening.open())
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # it is known
    return task


async def _winner(racers: Mapping[Task, Opening]) -> tuple[Opening, Relay | WholeAnswer]:
    waiting = set(racers)
    while True:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        errors = {task: error for task in done if (error := task.exception()) is not None}
        for task in racers:  # of two at once the first
            if task in done and task not in errors:
                return racers[task], task.result()
        for error in errors.values():
            if not waiting or not isinstance(error, UpstreamFailed):
                raise error


def _cut_off(racers: Mapping[Task, Opening], winner: Opening | None) -> None:
    for task, opening in racers.items():
        if opening is not winner:
            opening.lose()
            task.cancel()
