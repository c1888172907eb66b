"""Vendors that answer raw bytes, at prices that are easy to add up, and a gateway before them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from models.price_book import Price, PriceBook
from runtime.clock import SYSTEM, Clock
from runtime.ledger.open_store import open_store
from runtime.targets.local_pools import LocalPool
from tests.runtime.parts import KEY_ENV, MODEL, POOL, Stack, stack
from tests.runtime.targets.servers import CHUNKED, END, HOST, chunk, sized

NAMES = FIRST, SECOND, THIRD = "first", "second", "third"  # the dearer, the later asked
PROMPT_NANO, CACHED_NANO, OUTPUT_NANO = 1_000, 100, 2_000  # of one token, at the first
HANG = b"hang"  # in place of a write: nothing more comes, and the connection stays open

Answer = Sequence[bytes]  # the writes


@dataclass
class Vendor:
    """What it was asked; one that has no more answers says its last one again."""

    answers: Sequence[Answer]
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.paths.append(head.split(b" ", 2)[1].decode())
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            self.asked.append(json.loads(await reader.readexactly(length)))
            for write in self.answers[min(len(self.asked), len(self.answers)) - 1]:
                if write == HANG:
                    await reader.read()  # until the gateway has left
                writer.write(write)
                await writer.drain()
                await asyncio.sleep(0.002)  # each write comes by itself
        with suppress(ConnectionError):
            writer.close()


@asynccontextmanager
async def vendor(*answers: Answer) -> AsyncIterator[Vendor]:
    made = Vendor(answers)
    server = await asyncio.start_server(made.serve, HOST, 0)
    async with server:
        made.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}/v1"
        yield made


@asynccontextmanager
async def market(
    tmp_path: Path,
    first: Vendor,
    second: Vendor | None = None,
    config: Any = None,
    pool: LocalPool = POOL,
    terms: Any = MODEL,
) -> AsyncIterator[Stack]:
    """A gateway without a replica: what it is asked is bought, on ``terms``."""
    vendors = [first] if second is None else [first, second]
    async with markets(tmp_path, vendors, config, pool, [terms] * len(vendors)) as made:
        yield made


@asynccontextmanager
async def markets(
    tmp_path: Path,
    vendors: Sequence[Vendor],
    config: Any = None,
    pool: LocalPool = POOL,
    terms: Sequence[Any] | None = None,
    clock: Clock = SYSTEM,
) -> AsyncIterator[Stack]:
    """The same for any number of vendors, each dearer than the one before it."""
    providers = {
        name: {"base_url": each.url, "key_env": KEY_ENV, "offers": {MODEL: on}}
        for name, each, on in zip(NAMES, vendors, terms or [MODEL] * len(vendors), strict=False)
    }
    config = {**(config or {}), "providers": providers}
    async with stack(
        tmp_path, scripts=[], config=config, prices=prices(), pool=pool, clock=clock
    ) as made:
        yield made


@asynccontextmanager
async def two(
    tmp_path: Path, first: Answer, second: Answer, config: Any = None
) -> AsyncIterator[Stack]:
    """A gateway that asks a first vendor, and if need be a second."""
    async with (
        vendor(first) as one,
        vendor(second) as other,
        market(tmp_path, one, other, config) as made,
    ):
        yield made


def prices() -> PriceBook:
    """Of the model at each of the names."""
    return PriceBook(tuple(_price(name, times) for times, name in enumerate(NAMES, 1)))


def _price(provider: str, times: int) -> Price:
    return Price(
        price_id=f"{provider}/{MODEL}",
        provider=provider,
        model=MODEL,
        input_pico=times * PROMPT_NANO * 1_000,
        cached_input_pico=times * CACHED_NANO * 1_000,
        output_pico=times * OUTPUT_NANO * 1_000,
        effective_from=date(2026, 1, 1),
        effective_to=None,
        source="made up",
    )


def settled(s: Stack) -> list[dict[str, Any]]:
    """The rows of ended attempts, in their order."""
    with open_store(s.ledger).reading() as reading:
        ended = [each._asdict() for each in reading.attempts() if each.ending is not None]
    return sorted(ended, key=lambda each: each["attempt"])


def delta(content: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A frame of one choice. ``more`` is of the frame, but for ``index`` and ``delta``."""
    index, said = more.pop("index", 0), more.pop("delta", {"content": content})
    choice = {"index": index, "delta": said, "logprobs": None, "finish_reason": finish}
    return {"id": "c-1", "object": "chat.completion.chunk", "choices": [choice], **more}


ROLE = delta(delta={"role": "assistant", "content": ""})
DONE = "[DONE]"


def usage(prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    return {
        "choices": [],
        "usage": {"prompt_tokens": prompt, "completion_tokens": completion, **more},
    }


def event(told: Any) -> bytes:
    text = told if isinstance(told, str) else json.dumps(told, separators=(",", ":"))
    return f"data: {text}\n\n".encode()


def streamed(*told: Any) -> list[bytes]:
    """Each part a write of its own: an event, or bytes as they are."""
    events = [each if isinstance(each, bytes) else event(each) for each in told]
    return [CHUNKED, *(each if each == HANG else chunk(each) for each in events), END]


def whole(body: Any) -> list[bytes]:
    return [sized(body if isinstance(body, bytes) else json.dumps(body).encode())]


def message(content: str | None, finish: str | None = "stop", **more: Any) -> dict[str, Any]:
    """A whole answer of one choice; ``more`` is of the answer."""
    said = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": said, "finish_reason": finish}
    return {"id": "c-1", "object": "chat.completion", "choices": [choice], **more}
