"""An event loop gives way to the thread that commits its rows.

A busy loop lets go of the interpreter lock only for system calls too short for another thread to
wake up in, and each one restarts that thread's wait for its turn: the writer could starve for
seconds. Once rows have waited for a while, the loop sleeps now and then to give it turns.
"""

from __future__ import annotations

import asyncio
import time

from runtime.ledger.group_commit import COMMIT_INTERVAL_S, GroupCommit

GIVE_WAY_AFTER_S = 0.008
GIVE_WAY_EVERY_S = 0.0005
GIVE_WAY_S = 0.00005


class GivingWay:
    def __init__(self, writer: GroupCommit) -> None:
        self._writer = writer
        self._loop: asyncio.AbstractEventLoop | None = None  # that gives way

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Rows of this loop wait. It gives way until none do."""
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(GIVE_WAY_AFTER_S, self._give_way, loop)

    def _give_way(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._writer.idle():
            self._loop = None
        elif self._writer.paced():
            loop.call_later(COMMIT_INTERVAL_S, self._give_way, loop)
        else:
            time.sleep(GIVE_WAY_S)
            loop.call_later(GIVE_WAY_EVERY_S, self._give_way, loop)
