"""What a directory tells: changes at once, and nothing final before all could have renewed."""

from __future__ import annotations

import asyncio
import time

import pytest

from cluster.replica_directory import SETTLE_S, Directory
from cluster.replica_leases import LEASE_S, RENEW_S, Registration
from scheduler.replica import EngineLimits, Replica

A = Registration(Replica("a", "m", 1, EngineLimits(100, 100, 8, 100)), "http://h:1/v1", "s3cret")


async def test_a_change_ends_the_watch() -> None:
    directory = Directory()
    first = await directory.watch(None)
    assert first.entries == ()
    watching = asyncio.create_task(directory.watch(first.seen))
    await asyncio.sleep(0)
    await directory.renew([A])
    second = await asyncio.wait_for(watching, 1)
    assert second.entries == (A,)
    await directory.leave(["a"])
    assert (await asyncio.wait_for(directory.watch(second.seen), 1)).entries == ()


async def test_a_new_directory_is_not_taken_for_the_old_one() -> None:
    old, new = Directory(), Directory()
    await old.renew([A])
    await new.renew([A])
    seen = (await old.watch(None)).seen
    assert (await asyncio.wait_for(new.watch(seen), 1)).seen != seen


async def test_the_list_is_complete_once_all_that_live_have_renewed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert RENEW_S < SETTLE_S < LEASE_S
    directory = Directory()
    young = await directory.watch(None)
    assert not young.complete
    later = time.monotonic() + SETTLE_S
    monkeypatch.setattr("cluster.replica_directory.time.monotonic", lambda: later)
    settled = await asyncio.wait_for(directory.watch(young.seen), 1)
    assert settled.complete
