"""A real HTTP server that speaks the OpenAI stream and does as its script says."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

HOST = "127.0.0.1"
TEMPLATE_TOKENS = 7
KEY = "a-key-that-nobody-may-see"


@dataclass
class Script:
    """``slots`` answer at a time. It stalls for ``stall_s`` at the end of every ``every_s``."""

    step_s: float = 0.0
    slots: int = 1000
    stall_s: float = 0.0
    every_s: float = 1.0
    status: int = 200
    says: str = "no"
    has_usage: bool = True
    is_cut: bool = False
    shorter: int = 0  # tokens fewer than asked for
    cached_tokens: int | None = None
    needs_key: bool = False
    healthy_requests: int = 0  # after which ``status`` begins
    slots_own: int | None = None  # of a Baseload: who finds none free is bought for ``usd`` each
    usd: str = "0.00000002"
    prompts: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    started_s: float = field(default_factory=time.monotonic)

    async def pause(self) -> None:
        at_s = (time.monotonic() - self.started_s) % self.every_s
        if self.stall_s and at_s >= self.every_s - self.stall_s:
            await asyncio.sleep(self.every_s - at_s)
        if self.step_s:
            await asyncio.sleep(self.step_s)


class Server:
    def __init__(self, script: Script) -> None:
        self._script = script
        self._room = asyncio.Semaphore(script.slots)
        self._own = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        script = self._script
        body = await request.json()
        script.bodies.append(body)
        script.headers.append(request.headers)
        is_chat = "messages" in body
        prompt = body["messages"][0]["content"] if is_chat else body["prompt"]
        script.prompts.append(prompt)
        key = request.headers.get("authorization", "")
        if script.needs_key and key != f"Bearer {KEY}":
            return web.Response(status=401, text=f"bad key {key}")
        if script.status != 200 and len(script.bodies) > script.healthy_requests:
            return web.Response(status=script.status, text=script.says)
        async with self._room:
            return await self._stream(request, body, len(prompt.split()), is_chat=is_chat)

    async def _stream(
        self, request: web.Request, body: dict[str, Any], words: int, *, is_chat: bool
    ) -> web.StreamResponse:
        script = self._script
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        is_bought = script.slots_own is not None and self._own >= script.slots_own
        if script.slots_own is not None:
            response.headers["x-baseload-target"] = "offer:v/m" if is_bought else "local:m-1"
        self._own += not is_bought
        try:
            await response.prepare(request)
            return await self._tokens(response, body, words, is_chat=is_chat, is_bought=is_bought)
        finally:
            self._own -= not is_bought

    async def _tokens(
        self,
        response: web.StreamResponse,
        body: dict[str, Any],
        words: int,
        *,
        is_chat: bool,
        is_bought: bool,
    ) -> web.StreamResponse:
        script = self._script
        if is_chat:
            await response.write(event(choice(role="assistant", content="")))
        tokens = max(1, body["max_tokens"] - script.shorter)
        for _ in range(tokens):
            await script.pause()
            await response.write(event(choice(content=" word") if is_chat else text(" word")))
        if script.is_cut:
            return response
        if script.has_usage:
            await response.write(event(usage(words + TEMPLATE_TOKENS, tokens, script)))
        if script.slots_own is not None:
            usd = script.usd if is_bought else "0.000000001"
            await response.write(f": baseload-cost-usd {usd}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response


def choice(**delta: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def text(piece: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": piece, "finish_reason": None}]}


def usage(prompt: int, output: int, script: Script) -> dict[str, Any]:
    told: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": output}
    if script.cached_tokens is not None:
        told["prompt_tokens_details"] = {"cached_tokens": script.cached_tokens}
    return {"choices": [], "usage": told}


def event(content: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(content).encode() + b"\n\n"


@asynccontextmanager
async def upstream(script: Script) -> AsyncIterator[str]:
    """Its base URL, served in this loop."""
    server = Server(script)
    app = web.Application(client_max_size=1 << 24)
    for path in ("/v1/chat/completions", "/v1/completions"):
        app.router.add_post(path, server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    try:
        yield f"http://{HOST}:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """Its base URL, served in a thread: for load that comes from other processes."""
    ready, urls = threading.Event(), list[str]()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def serve() -> None:
        async with upstream(script) as url:
            urls.append(url)
            ready.set()
            await stopping.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield urls[0]
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join()
        loop.close()
