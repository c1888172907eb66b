"""The replica directory: engines renew a lease, Schedulers watch the list.

One Serve replica that Serve restarts if it dies; it keeps nothing that the next renewals do
not bring back, and Schedulers keep their last list while it is away.
"""

from __future__ import annotations

import asyncio
import time

from cluster.leases import Leases, Registration

WATCH_S = 5.0  # a watch that saw no change answers after this long
POLL_S = 0.1


class Directory:
    def __init__(self) -> None:
        self._leases = Leases()

    async def renew(self, entry: Registration) -> None:
        self._leases.renew(entry, time.monotonic())

    async def leave(self, replica_id: str) -> None:
        self._leases.leave(replica_id)

    async def watch(self, seen: int) -> tuple[int, list[Registration]]:
        """The list, as soon as it differs from version ``seen``."""
        deadline_s = time.monotonic() + WATCH_S
        while True:
            now = time.monotonic()
            self._leases.expire(now)
            if self._leases.version != seen or now >= deadline_s:
                return self._leases.version, self._leases.entries()
            await asyncio.sleep(POLL_S)
