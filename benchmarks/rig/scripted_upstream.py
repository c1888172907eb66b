"""A provider that costs next to nothing: a fixed answer, one write per chunk, on a step clock.

It stands where an engine would stand, so that what is measured in front of it is the gateway
alone. As with an engine, each step sends one chunk of every running answer; if steps take longer
than the clock allows, the clock slips and no two chunks are merged to catch up. The request's
``max_tokens`` is the number of content chunks. Only what gateways send is understood.

It bills the same prompt for every request, or with ``--count-prompts`` one token per character:
what digits of the tiny model's prompts take there, so that estimates learn nothing wrong from it.
``GET /bill`` tells what it has served so far, an answer that its reader left included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from dataclasses import asdict, dataclass
from typing import Any, cast

import uvloop

HOST = "127.0.0.1"
READY_LINE = "ready on "  # and its base URL
BACKLOG = 1024
REQUEST_BYTES_MAX = 1024 * 1024
ROUTE = b"POST /v1/chat/completions "
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
REFUSED = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
HEALTH = b"GET /health "
MODELS = b"GET /v1/models "
BILL = b"GET /bill "
PROMPT_TOKENS = 24
WORDS = ("the", " river", " turned", " its", " old", " wheel", " and", " she", " listened", ".")

COMMON: dict[str, object] = {
    "id": "chatcmpl-5f0c6b0a4de94b6fa6b8f2c1d3e4a5b6",
    "object": "chat.completion.chunk",
    "created": 1_790_000_000,
    "model": "tiny-moe",
}
DONE = b"data: [DONE]\n\n"


def frames(tokens: int) -> list[bytes]:
    """The answer as the events that vLLM would send, [DONE] included."""

    def content(delta: dict[str, str], finish: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _frame({**COMMON, "choices": [choice]})

    told = [content({"role": "assistant", "content": ""}, None)]
    told += [content({"content": WORDS[i % len(WORDS)]}, None) for i in range(tokens)]
    return [*told, content({}, "length"), usage_frame(PROMPT_TOKENS, tokens), DONE]


def usage_frame(prompt_tokens: int, tokens: int) -> bytes:
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": tokens,
        "total_tokens": prompt_tokens + tokens,
    }
    return _frame({**COMMON, "choices": [], "usage": usage})


def _frame(content: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(content, separators=(",", ":")).encode() + b"\n\n"


def transfer_chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


@dataclass(slots=True)
class Bill:
    requests: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0


class Script:
    """The writes of an answer of each length, made once."""

    def __init__(self, *, count_prompts: bool = False) -> None:
        self._made: dict[int, list[bytes]] = {}
        self._count_prompts = count_prompts
        self.bill = Bill()

    def answer(self, request: Any) -> list[bytes]:
        """ValueError, KeyError or TypeError where it is not one that the gateway sends."""
        tokens = int(request["max_tokens"])
        writes = self._writes(tokens)
        self.bill.requests += 1
        if not self._count_prompts:
            self.bill.prompt_tokens += PROMPT_TOKENS
            return writes
        prompt_tokens = sum(len(message["content"]) for message in request["messages"])
        self.bill.prompt_tokens += prompt_tokens
        old, new = (transfer_chunk(usage_frame(n, tokens)) for n in (PROMPT_TOKENS, prompt_tokens))
        return [*writes[:-1], writes[-1].replace(old, new)]

    def _writes(self, tokens: int) -> list[bytes]:
        if tokens not in self._made:
            body = [transfer_chunk(frame) for frame in frames(tokens)]
            # An engine's last step sends the finish reason, usage and [DONE] in one go.
            end = b"".join(body[-3:]) + b"0\r\n\r\n"
            self._made[tokens] = [HEAD + body[0], *body[1:-3], end]
        return self._made[tokens]


class StepClock:
    """Every ``step_s`` one write to each running answer; 0 steps as fast as the loop turns."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._running: set[Connection] = set()

    def add(self, connection: Connection) -> None:
        self._running.add(connection)

    def remove(self, connection: Connection) -> None:
        self._running.discard(connection)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            due_s = max(due_s + self._step_s, loop.time())
            await asyncio.sleep(due_s - loop.time())
            for connection in list(self._running):
                connection.step()


class Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self, clock: StepClock, script: Script) -> None:
        self._clock = clock
        self._script = script
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._writes: list[bytes] = []
        self._next = 0
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not derive from it

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        self._transport = None

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > REQUEST_BYTES_MAX:
            self._refuse()
            return
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        if head.startswith(b"GET "):
            self._received = rest
            self._tell(head)
            return
        length = _content_length(head)
        if not head.startswith(ROUTE) or length is None:
            self._refuse()
        elif len(rest) >= length:
            self._received = rest[length:]
            self._answer(rest[:length])

    def step(self) -> None:
        """The next write; a reader that has fallen behind misses its step."""
        if self._paused or self._transport is None:
            return
        self._transport.write(self._writes[self._next])
        self._next += 1
        if self._next == len(self._writes):
            self._end()

    def _end(self) -> None:
        """The answer is over, whole or not: its first write has no token, and its last none."""
        self._clock.remove(self)
        self._script.bill.output_tokens += max(0, min(self._next, len(self._writes) - 1) - 1)
        self._next, self._writes = 0, []

    def _answer(self, body: bytes) -> None:
        try:
            self._writes = self._script.answer(json.loads(body))
        except (ValueError, KeyError, TypeError):
            self._refuse()
            return
        self._next = 0
        self._clock.add(self)

    def _tell(self, head: bytes) -> None:
        """The connection stays: routers ask for much that is not here before they begin."""
        content: object = None
        if head.startswith(BILL):
            content = asdict(self._script.bill)
        elif head.startswith(MODELS):
            content = {"object": "list", "data": [{"id": COMMON["model"], "object": "model"}]}
        elif head.startswith(HEALTH):
            content = {}
        if self._transport is not None:
            self._transport.write(REFUSED if content is None else _whole(content))

    def _refuse(self) -> None:
        if self._transport is not None:
            self._transport.write(REFUSED)
            self._transport.close()


def _whole(content: object) -> bytes:
    body = json.dumps(content).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def _content_length(head: bytes) -> int | None:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return None


async def listen(clock: StepClock, port: int, *, count_prompts: bool = False) -> asyncio.Server:
    script = Script(count_prompts=count_prompts)
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: Connection(clock, script), HOST, port, backlog=BACKLOG, reuse_address=True
    )


async def _serve(port: int, step_s: float, *, count_prompts: bool) -> None:
    clock = StepClock(step_s)
    server = await listen(clock, port, count_prompts=count_prompts)
    stepping = asyncio.create_task(clock.run())
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    bound = server.sockets[0].getsockname()[1]
    print(f"{READY_LINE}http://{HOST}:{bound}/v1", flush=True)
    await stop.wait()
    stepping.cancel()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rig.scripted_upstream",
        description="An OpenAI-compatible provider with a fixed answer.",
        epilog="Example: python -m benchmarks.rig.scripted_upstream --port 8111 --step-ms 5",
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--step-ms", type=float, default=0.0, help="0: as fast as it can")
    parser.add_argument("--count-prompts", action="store_true", help="bill what was sent")
    given = parser.parse_args()
    uvloop.run(_serve(given.port, given.step_ms / 1000, count_prompts=given.count_prompts))


if __name__ == "__main__":
    main()
