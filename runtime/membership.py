"""Which replicas are there: those that the directory lists and whose load stream is open.

A dead replica is noticed by its stream, at once; the directory only says where to look.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from runtime.http.connector import Connector
from runtime.load_report import read_report
from runtime.pools import Pool
from runtime.shared_clocks import SharedClock, SharedClocks
from runtime.upstream import Upstream
from scheduler.decision import Action
from scheduler.machine import Scheduler
from scheduler.replica import Replica

REPORT_SILENCE_S_MAX = 5.0  # heartbeats come every 0.5 s
RESUBSCRIBE_S = 0.2

log = logging.getLogger("baseload.membership")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A replica as the directory lists it."""

    replica: Replica
    base_url: str
    token: str


@dataclass(slots=True)
class LocalTarget:
    """A live replica: how to reach it, and the clock of its time, which outlives this object."""

    replica: Replica
    upstream: Upstream
    pool: Pool
    clock: SharedClock


class Membership:
    """Tells the scheduler who joins, leaves and reports; hands on what it answers."""

    def __init__(
        self,
        pools: Mapping[str, Pool],
        scheduler: Scheduler,
        clocks: SharedClocks,
        apply: Callable[[list[Action]], None],
    ) -> None:
        self.targets: dict[str, LocalTarget] = {}
        self.were_up: set[str] = set()  # models that had a replica at any time
        self._pools = pools
        self._scheduler = scheduler
        self._clocks = clocks
        self._apply = apply
        self._followers: dict[str, asyncio.Task[None]] = {}

    def set(self, endpoints: Iterable[Endpoint], connector: Connector) -> None:
        """The latest list: follows the new, drops the gone."""
        listed = {endpoint.replica.replica_id: endpoint for endpoint in endpoints}
        for replica_id in self._followers.keys() - listed.keys():
            self._followers.pop(replica_id).cancel()
        for replica_id in listed.keys() - self._followers.keys():
            endpoint = listed[replica_id]
            if endpoint.replica.model in self._pools:
                self._followers[replica_id] = asyncio.get_running_loop().create_task(
                    self._follow(endpoint, connector), name=f"follow {replica_id}"
                )
                self._followers[replica_id].add_done_callback(_ended)

    async def close(self) -> None:
        followers = list(self._followers.values())
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)

    async def _follow(self, endpoint: Endpoint, connector: Connector) -> None:
        replica = endpoint.replica
        upstream = Upstream(connector, endpoint.base_url, endpoint.token, f"local:{replica.model}")
        while True:
            try:
                async with upstream.subscribe("/load", REPORT_SILENCE_S_MAX) as lines:
                    self._join(replica, upstream)
                    async for line in lines:
                        if report := read_report(replica, line):
                            self._apply(self._scheduler.on_load_report(report, time.monotonic()))
            except OSError as error:
                log.warning("replica %s: load stream lost (%s)", replica.replica_id, error)
            finally:
                self._leave(replica.replica_id)
            await asyncio.sleep(RESUBSCRIBE_S)

    def _join(self, replica: Replica, upstream: Upstream) -> None:
        pool = self._pools[replica.model]
        clock = self._clocks.clock(replica.replica_id, replica.generation)
        self.targets[replica.replica_id] = LocalTarget(replica, upstream, pool, clock)
        self.were_up.add(replica.model)
        log.info("replica %s joined", replica.replica_id)
        self._apply(self._scheduler.on_replica_joined(replica, time.monotonic()))

    def _leave(self, replica_id: str) -> None:
        # Its own streams still hold the target; they end by themselves, with an error frame.
        if self.targets.pop(replica_id, None) is not None:
            log.warning("replica %s left", replica_id)
            self._apply(self._scheduler.on_replica_left(replica_id, time.monotonic()))


def _ended(follower: asyncio.Task[None]) -> None:
    if not follower.cancelled() and (error := follower.exception()) is not None:
        log.critical("%s ended", follower.get_name(), exc_info=error)
