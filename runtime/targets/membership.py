"""Which replicas are there: those that the directory lists and whose load stream is open.

A dead replica is noticed by its stream, at once; the directory only says where to look.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from runtime.clock import SYSTEM, Clock
from runtime.targets.connector import Connector
from runtime.targets.load_stream import Follower
from runtime.targets.local_pools import LocalPool
from runtime.targets.replica_clocks import SharedClock, SharedClocks
from runtime.targets.upstream import Upstream
from scheduler.decision import Action
from scheduler.replica import LoadReport, Replica
from scheduler.state_machine import Scheduler
from scheduler.target import Target, TargetKind

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
    pool: LocalPool
    clock: SharedClock

    @property
    def model(self) -> str:
        return self.replica.model


class Waiting(Protocol):
    """The requests under way."""

    def is_awaited(self, replica: Replica) -> bool: ...

    def forsake(self, replica: Replica) -> None: ...


class Membership:
    """Tells the scheduler who joins, leaves and reports; hands on what it answers. Those who wait
    for the first token of a replica that is gone are told not to."""

    def __init__(
        self,
        pools: Mapping[str, LocalPool],
        scheduler: Scheduler,
        clocks: SharedClocks,
        apply: Callable[[list[Action]], None],
        waiting: Waiting,
        clock: Clock = SYSTEM,
    ) -> None:
        self.targets: dict[str, LocalTarget] = {}
        self.were_up: set[str] = set()  # models that had a replica at any time
        self.is_awaited = waiting.is_awaited
        self.forsake = waiting.forsake
        self._pools = pools
        self._scheduler = scheduler
        self._clocks = clocks
        self._apply = apply
        self._clock = clock
        self._followers: dict[Endpoint, Follower] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def set(self, endpoints: Iterable[Endpoint], connector: Connector) -> None:
        """The latest list: follows the new, lets the gone finish what they have."""
        listed = {each for each in endpoints if each.replica.model in self._pools}
        for endpoint in self._followers.keys() - listed:
            if not self._followers[endpoint].delist():
                del self._followers[endpoint]
        for endpoint in listed:
            if endpoint in self._followers:
                self._followers[endpoint].enlist()
            else:
                self._follow(endpoint, connector)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _follow(self, endpoint: Endpoint, connector: Connector) -> None:
        replica = endpoint.replica
        name = str(Target(TargetKind.LOCAL, replica.model))  # all replicas of a model share it
        upstream = Upstream(connector, endpoint.base_url, endpoint.token, name)
        follower = self._followers[endpoint] = Follower(replica, upstream, self)

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                log.critical("%s ended", task.get_name(), exc_info=error)
            elif self._followers.get(endpoint) is follower:
                del self._followers[endpoint]
                if follower.is_listed and not task.cancelled():  # again, just as it ended
                    self._follow(endpoint, connector)

        task = follower.start()
        self._tasks.add(task)
        task.add_done_callback(ended)

    # -- what followers tell ------------------------------------------------------------

    def joined(self, replica: Replica, upstream: Upstream) -> None:
        pool = self._pools[replica.model]
        clock = self._clocks.clock(replica.replica_id, replica.generation)
        self.targets[replica.replica_id] = LocalTarget(replica, upstream, pool, clock)
        self.were_up.add(replica.model)
        log.info("replica %s joined", replica.replica_id)
        self._apply(self._scheduler.on_replica_joined(replica, self._clock.monotonic_s()))

    def left(self, replica: Replica) -> None:
        # Its own streams still hold the target; they end by themselves, with an error frame.
        known = self.targets.get(replica.replica_id)
        if known is not None and known.replica == replica:
            del self.targets[replica.replica_id]
            log.warning("replica %s left", replica.replica_id)
            self._apply(
                self._scheduler.on_replica_left(replica.replica_id, self._clock.monotonic_s())
            )

    def reported(self, report: LoadReport) -> None:
        self._apply(self._scheduler.on_load_report(report, self._clock.monotonic_s()))
