"""A client that leaves ends what is done for it, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from runtime.edge.client_disconnect import ClientLeft, while_present

Receive = Callable[[], Awaitable[dict[str, Any]]]


def _client() -> tuple[Receive, asyncio.Event]:
    """A ``receive``, and what makes the client leave."""
    leaves = asyncio.Event()
    said = [{"type": "http.request"}]

    async def receive() -> dict[str, Any]:
        if said:
            return said.pop()
        await leaves.wait()
        return {"type": "http.disconnect"}

    return receive, leaves


async def test_who_stays_is_served() -> None:
    receive, _ = _client()
    async with while_present(receive):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_who_leaves_ends_the_work() -> None:
    receive, leaves = _client()
    cleaned = False

    async def work() -> None:
        nonlocal cleaned
        async with while_present(receive):
            leaves.set()
            try:
                await asyncio.sleep(60)
            finally:
                cleaned = True

    with pytest.raises(ClientLeft):
        await work()
    assert cleaned
    await asyncio.sleep(0)  # and the task goes on as if it had never been cancelled
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_a_cancellation_by_others_stays_one() -> None:
    receive, _ = _client()

    async def work() -> None:
        async with while_present(receive):
            await asyncio.sleep(60)

    working = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_both_at_once_is_a_cancellation() -> None:
    receive, leaves = _client()

    async def work() -> None:
        async with while_present(receive):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(0)  # the second arrives here
                raise

    working = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    leaves.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert working.cancelled()


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
async def test_who_leaves_as_the_work_ends_ends_nothing_else(turns: int) -> None:
    receive, leaves = _client()
    try:
        async with while_present(receive):
            leaves.set()
            for _ in range(turns):
                await asyncio.sleep(0)
    except ClientLeft:
        pass
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_failure_of_the_work_is_its_own() -> None:
    receive, _ = _client()
    with pytest.raises(KeyError):
        async with while_present(receive):
            raise KeyError


async def test_a_client_that_cannot_be_heard_has_left() -> None:
    async def receive() -> dict[str, Any]:
        raise OSError

    with pytest.raises(ClientLeft):
        async with while_present(receive):
            await asyncio.sleep(60)
