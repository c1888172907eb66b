"""Someone who calls a stack while something happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import aiohttp

CALL_EVERY_S = 0.4
CALL_TOKENS = 30


@contextmanager
def caller(url: str, key: str) -> Iterator[list[tuple[int, bytes]]]:
    """Short streamed answers, one after another begun, from before until after; how each ended."""
    ended: list[tuple[int, bytes]] = []
    stop = asyncio.Event()

    async def call(session: aiohttp.ClientSession, number: int) -> None:
        body = {
            "model": "tiny-moe",
            "messages": [{"role": "user", "content": f"Count from {number}"}],
            "max_tokens": CALL_TOKENS,
            "stream": True,
        }
        headers = {"authorization": f"Bearer {key}"}
        try:
            async with session.post(
                f"{url}/v1/chat/completions", json=body, headers=headers
            ) as answer:
                ended.append((answer.status, await answer.read()))
        except aiohttp.ClientError as error:
            ended.append((0, repr(error).encode()))

    async def go() -> None:
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as calls:
            number = 0
            while not stop.is_set():
                calls.create_task(call(session, number := number + 1))
                await asyncio.sleep(CALL_EVERY_S)

    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_until_complete, args=(go(),))
    thread.start()
    try:
        yield ended
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def broken(ended: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    return [each for each in ended if each[0] != 200 or not each[1].endswith(b"data: [DONE]\n\n")]
