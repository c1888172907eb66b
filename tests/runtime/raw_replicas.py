"""A replica on a real socket that reports, falls silent and answers when a test says so."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from runtime.targets.membership import Endpoint
from scheduler.replica import Replica
from tests.runtime.parts import FACTS, HOST, TOKEN
from tests.runtime.raw_vendors import STREAM, chunk

HEARTBEAT_S = 0.02
LENGTH = re.compile(rb"content-length: (\d+)")
REPORT = {
    "running": 0,
    "waiting": 0,
    "kv_tokens_used": 0,
    "waiting_prefill_tokens": 0,
    "prefill_tok_s": None,
    "decode_step_s": None,
    "preemptions": 0,
    "prefix_hit_tokens": 0,
}
LINE = chunk(json.dumps(REPORT).encode() + b"\n")


@dataclass
class RawReplica:
    """Its load stream beats while it is not ``frozen``, and ends with ``break_off``. Each request
    gets the bytes of ``answer`` and, once they are there, those of ``rest``."""

    name: str = "raw"
    answer: bytes = b""
    frozen: bool = False
    refuses: bool = False  # new load streams
    asked: int = 0
    listened: int = 0
    hung_up: int = 0  # load streams that the gateway ended
    rest: asyncio.Future[bytes] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    port: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def endpoint(self) -> Endpoint:
        replica = Replica(
            replica_id=self.name,
            model=FACTS.model,
            generation=1,
            limits=FACTS.limits,
        )
        return Endpoint(replica, f"http://{HOST}:{self.port}/v1", TOKEN)

    def break_off(self) -> None:
        """All its load streams."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if head.startswith(b"get"):
                await self._report(reader, writer)
            elif found := LENGTH.search(head):
                await reader.readexactly(int(found[1]))
                self.asked += 1
                writer.write(self.answer)
                writer.write(await asyncio.shield(self.rest))
                await writer.drain()

    async def _report(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            return
        self.listened += 1
        self._writers.append(writer)
        farewell = asyncio.ensure_future(reader.read())
        said = STREAM
        while not writer.is_closing() and not farewell.done():
            if not self.frozen:
                writer.write(said + LINE)
                said = b""
            await asyncio.sleep(HEARTBEAT_S)
        self.hung_up += farewell.done()
        farewell.cancel()


@asynccontextmanager
async def raw_replica(answer: bytes = b"") -> AsyncIterator[RawReplica]:
    made = RawReplica(answer=answer)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(asyncio.CancelledError):  # by the end of the test
                await made.serve(reader, writer)
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(serve, HOST, 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
