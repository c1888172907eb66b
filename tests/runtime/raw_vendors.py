"""Vendors that keep their connections, with several models: each answered as a test says."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.runtime.parts import HOST, KEY_ENV

LENGTH = re.compile(rb"content-length: (\d+)")
USAGE = {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}

Answer = Callable[["Visit"], Awaitable[None]]


@dataclass
class Visit:
    """One request to a vendor. ``served`` are the requests before it on its connection."""

    body: dict[str, Any]
    writer: asyncio.StreamWriter
    served: int

    def say(self, data: bytes) -> None:
        self.writer.write(data)


@dataclass
class Vendor:
    """``answers`` by the model's name at the vendor; a model without one gets a good answer."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def account(self, **offers: str) -> dict[str, Any]:
        """Its part of a configuration: catalogue names and the names there."""
        return {"base_url": self.url, "key_env": KEY_ENV, "offers": offers}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served = 0
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                found = LENGTH.search(head)
                assert found is not None
                body = json.loads(await reader.readexactly(int(found[1])))
                self.asked.append(body["model"])
                answer = self.answers.get(body["model"], well)
                await answer(Visit(body, writer, served))
                served += 1


@asynccontextmanager
async def vendor(**answers: Answer) -> AsyncIterator[Vendor]:
    made = Vendor(answers)
    open_: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_.add(task)
        try:
            with suppress(asyncio.CancelledError):  # by the end of the test
                await made.serve(reader, writer)
        finally:
            writer.close()
            open_.discard(task)

    server = await asyncio.start_server(serve, HOST, 0)
    made.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield made
    finally:
        server.close()
        for task in open_:
            task.cancel()
        await asyncio.gather(*open_, return_exceptions=True)


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", *headers, f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def says(status: int, *headers: str) -> Answer:
    async def answer(visit: Visit) -> None:
        visit.say(http(status, b"", *headers))

    return answer


async def well(visit: Visit) -> None:
    """A good answer of one token, in the form that was asked for."""
    if visit.body.get("stream"):
        visit.say(STREAM + event(content("yes")) + event(FINISH) + event({**LAST}) + END)
        return
    message = {"role": "assistant", "content": "yes"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    told = {"id": "a", "object": "chat.completion", "choices": [choice], "usage": USAGE}
    visit.say(http(200, json.dumps(told).encode(), "content-type: application/json"))


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(data: dict[str, Any]) -> bytes:
    return chunk(b"data: " + json.dumps(data).encode() + b"\n\n")


def content(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
FINISH = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
LAST = {"choices": [], "usage": USAGE}
END = chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
