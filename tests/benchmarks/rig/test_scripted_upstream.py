from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from benchmarks.rig.scripted_upstream import (
    HOST,
    PROMPT_TOKENS,
    Script,
    StepClock,
    frames,
    listen,
    transfer_chunk,
)

BODY = b'{"model":"tiny-moe","max_tokens":3}'
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY)


async def talk(*pieces: bytes, answers: int) -> bytes:
    """What comes back on one connection for the pieces, sent one by one."""
    clock = StepClock(0)
    server = await listen(clock, 0)
    stepping = asyncio.create_task(clock.run())
    reader, writer = await asyncio.open_connection(HOST, server.sockets[0].getsockname()[1])
    received = b""
    try:
        async with asyncio.timeout(5):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)
            while received.count(b"\r\n0\r\n\r\n") < answers:
                data = await reader.read(65536)
                if not data:
                    break
                received += data
    finally:
        writer.close()
        stepping.cancel()
        server.close()
    return received


async def test_answer_is_chunked_and_complete() -> None:
    received = await talk(HEAD + BODY, answers=1)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"transfer-encoding: chunked" in head
    assert body == b"".join(map(transfer_chunk, frames(3))) + b"0\r\n\r\n"


def test_prompts_are_counted_on_demand() -> None:
    request = {"max_tokens": 3, "messages": [{"content": "3456789"}, {"content": "345"}]}
    fixed, counted = Script(), Script(count_prompts=True)
    assert b'"prompt_tokens":24,' in fixed.answer(request)[-1]
    (*body, end) = counted.answer(request)
    assert b'"prompt_tokens":10,"completion_tokens":3,"total_tokens":13' in end
    assert end.endswith(b"0\r\n\r\n")
    assert body == fixed.answer(request)[:-1]


async def test_request_may_come_in_pieces() -> None:
    received = await talk(HEAD[:20], HEAD[20:], BODY[:5], BODY[5:], answers=1)
    assert received.endswith(b"0\r\n\r\n")


async def test_connection_is_kept_for_the_next_request() -> None:
    received = await talk(HEAD + BODY, HEAD + BODY, answers=2)
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.count(b"[DONE]") == 2


async def test_what_is_not_understood_is_refused() -> None:
    assert (await talk(b"PUT / HTTP/1.1\r\n\r\n", answers=1)).startswith(b"HTTP/1.1 404")
    no_bound = b'{"model":"tiny-moe"}'
    head = HEAD.replace(b"%d" % len(BODY), b"%d" % len(no_bound))
    assert (await talk(head + no_bound, answers=1)).startswith(b"HTTP/1.1 404")


async def ask(port: int, path: str) -> dict[str, Any]:
    url = f"http://{HOST}:{port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 200
        told: dict[str, Any] = await response.json()
        return told


async def test_bill_counts_whole_answers_and_what_was_sent_of_others() -> None:
    clock = StepClock(0.001)
    server = await listen(clock, 0)
    port = server.sockets[0].getsockname()[1]
    stepping = asyncio.create_task(clock.run())
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(HEAD + BODY)
    await reader.readuntil(b"\r\n0\r\n\r\n")
    whole = await ask(port, "/bill")
    assert whole == {"requests": 1, "prompt_tokens": PROMPT_TOKENS, "output_tokens": 3}
    long = BODY.replace(b":3}", b":4000}")
    writer.write(HEAD.replace(b"%d" % len(BODY), b"%d" % len(long)) + long)
    await reader.readuntil(b" river")
    writer.close()
    async with asyncio.timeout(5):
        while (bill := await ask(port, "/bill"))["output_tokens"] == 3:
            await asyncio.sleep(0.001)
    stepping.cancel()
    server.close()
    assert bill["requests"] == 2
    assert 3 + 2 <= bill["output_tokens"] < 4_000


async def test_models_and_health_are_told() -> None:
    server = await listen(StepClock(0), 0)
    port = server.sockets[0].getsockname()[1]
    assert (await ask(port, "/v1/models"))["data"][0]["id"] == "tiny-moe"
    assert await ask(port, "/health") == {}
    async with aiohttp.ClientSession(f"http://{HOST}:{port}") as session:
        for path, status in (("/version", 404), ("/health", 200)):  # the connection is kept
            async with session.get(path) as response:
                assert response.status == status
    server.close()
