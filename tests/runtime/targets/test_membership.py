"""Lists that change while replicas come, go and come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from runtime.ledger.open_store import open_store
from runtime.targets.connector import Connector
from runtime.targets.membership import Endpoint, Membership
from runtime.targets.replica_clocks import SharedClocks
from scheduler.replica import Replica
from scheduler.settings import Settings
from scheduler.state_machine import Scheduler
from tests.runtime.parts import MODEL, POOL, until
from tests.runtime.raw_replicas import RawReplica, raw_replica


class _Waiting:
    """Whether anybody waits is said by a test; ``asked`` is called with each question."""

    def __init__(self) -> None:
        self.waits = True
        self.forsaken: list[Replica] = []
        self.asked: Callable[[], None] = lambda: None

    def is_awaited(self, replica: Replica) -> bool:
        self.asked()
        return self.waits

    def forsake(self, replica: Replica) -> None:
        self.forsaken.append(replica)


@asynccontextmanager
async def _membership(tmp_path: Path) -> AsyncIterator[tuple[Membership, _Waiting, Connector]]:
    waiting, connector = _Waiting(), Connector()
    clocks = SharedClocks.open(open_store(tmp_path / "ledger.db"), "test")
    scheduler = Scheduler(Settings())
    membership = Membership({MODEL: POOL}, scheduler, clocks, lambda actions: None, waiting)
    try:
        yield membership, waiting, connector
    finally:
        await membership.close()
        await connector.close()
        clocks.close()


def _next_boot(raw: RawReplica, of: Endpoint) -> Endpoint:
    return replace(raw.endpoint, replica=replace(of.replica, generation=2))


async def test_the_end_of_an_old_boot_leaves_its_successor_alone(tmp_path: Path) -> None:
    async with (
        raw_replica() as old,
        raw_replica() as new,
        _membership(tmp_path) as (membership, waiting, connector),
    ):
        first, second = old.endpoint, _next_boot(new, old.endpoint)
        membership.set([first], connector)
        await until(lambda: "raw" in membership.targets)
        membership.set([second], connector)
        await until(lambda: "raw" in membership.targets)
        old.break_off()
        await until(lambda: bool(waiting.forsaken))
        assert waiting.forsaken[0] == first.replica
        assert membership.targets["raw"].replica == second.replica


async def test_who_comes_back_just_as_nobody_waits_any_more_is_followed_again(
    tmp_path: Path,
) -> None:
    async with (
        raw_replica() as raw,
        _membership(tmp_path) as (membership, waiting, connector),
    ):
        membership.set([raw.endpoint], connector)
        await until(lambda: "raw" in membership.targets)
        membership.set([], connector)
        loop = asyncio.get_running_loop()

        def last() -> None:
            waiting.asked = lambda: None
            waiting.waits = False
            loop.call_soon(membership.set, [raw.endpoint], connector)

        waiting.asked = last
        await until(lambda: raw.listened == 2 and "raw" in membership.targets)


async def test_a_replica_off_the_list_that_cannot_be_heard_is_given_up(tmp_path: Path) -> None:
    async with (
        raw_replica() as raw,
        _membership(tmp_path) as (membership, waiting, connector),
    ):
        membership.set([raw.endpoint], connector)
        await until(lambda: "raw" in membership.targets)
        raw.refuses = True
        membership.set([], connector)
        raw.break_off()
        await until(lambda: bool(waiting.forsaken))
        waiting.waits = False
        await until(lambda: not membership._tasks)
