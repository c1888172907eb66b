"""The replica directory: engines renew a lease, Schedulers watch the list.

One Serve replica that Serve restarts if it dies; it keeps nothing that the next renewals do
not bring back, and Schedulers keep their last list until then.
"""

from __future__ import annotations

import asyncio
import time

from cluster.applied_config import ConfigNote
from cluster.replica_leases import RENEW_S, Leases, Listing, Registration

WATCH_S = 5.0  # a watch that saw no change answers after this long
POLL_S = 0.1
SETTLE_S = RENEW_S + 2.0  # from the start on: all that live have renewed by then


class Directory:
    def __init__(self) -> None:
        self._leases = Leases()
        self._boot = time.time_ns()
        self._complete_at_s = time.monotonic() + SETTLE_S
        self._config = ConfigNote()

    async def renew(self, entries: list[Registration]) -> None:
        for entry in entries:
            self._leases.renew(entry, time.monotonic())

    async def leave(self, replica_ids: list[str]) -> None:
        for replica_id in replica_ids:
            self._leases.leave(replica_id)

    async def note_config(self, note: ConfigNote) -> None:
        """A Scheduler tells it at each change, and again to a directory that has just started."""
        self._config = note

    async def config(self) -> ConfigNote:
        return self._config

    async def watch(self, seen: tuple[int, int, bool] | None) -> Listing:
        """The list, as soon as it differs from the one with this ``seen``."""
        deadline_s = time.monotonic() + WATCH_S
        while True:
            now = time.monotonic()
            self._leases.expire(now)
            complete = now >= self._complete_at_s
            state = (self._boot, self._leases.version, complete)
            if state != seen or now >= deadline_s:
                return Listing(state, tuple(self._leases.entries()), complete)
            await asyncio.sleep(POLL_S)
