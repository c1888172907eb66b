"""An engine without a model: a fixed answer in vLLM's frames, and faults on request.

For tests and drills. It stands behind the same private app as vLLM, keeps what it was asked,
and notes when it saw a caller leave.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from runtime.engine.engine_settings import EngineFacts
from runtime.engine.fault_script import (
    ABSURD_REPORTS,
    ENDLESS_REPORT,
    Fault,
    Reports,
    Script,
    Turnstile,
)
from runtime.engine.load_meter import HEARTBEAT_S, LoadMeter
from runtime.engine.private_app import DETOKENIZE_PATH, TOKENIZE_PATH, PrivateApp
from runtime.engine.scripted_answer import DONE, ScriptedAnswer, event

ASKED_KEPT_MAX = 1024
HUGE_FRAME_BYTES = 2 * 1024 * 1024

_REFUSALS = {
    Fault.SERVER_ERROR: (500, "InternalServerError", "EngineCore encountered an issue."),
    Fault.BUSY: (503, "ServiceUnavailable", "The engine has no room."),
    Fault.REJECT: (400, "BadRequestError", "The prompt has a token that is not allowed."),
}


@dataclass(slots=True)
class Asked:
    """One request, and what became of it."""

    path: str
    body: dict[str, Any]
    is_aborted: bool = False  # the caller left before the end
    traceparent: str | None = None


class ScriptedEngine:
    """Serve ``app`` with a PrivateServer. ``script`` may be changed at any time."""

    def __init__(self, facts: EngineFacts, token: str, script: Script | None = None) -> None:
        self.facts = facts
        self.script = script or Script()
        self.turnstile = Turnstile()
        self.asked: deque[Asked] = deque(maxlen=ASKED_KEPT_MAX)
        self.running = 0
        self.meter = _Meter(self)
        tokens = {TOKENIZE_PATH: _tokenize, DETOKENIZE_PATH: _detokenize}
        self.app = PrivateApp(facts, [self.meter], token, self._respond, self._respond, {}, tokens)
        self._slots = asyncio.Semaphore(facts.limits.max_num_seqs)

    @property
    def aborted(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.is_aborted]

    async def probe(self) -> None:
        self.note_step(1, 1)

    def note_step(self, prompt_tokens: int, output_tokens: int) -> None:
        most = self.facts.limits.max_num_seqs
        waiting = max(0, self.app.in_flight - most)
        now_s = asyncio.get_running_loop().time()
        self.meter.on_step(
            now_s, prompt_tokens=prompt_tokens, output_tokens=output_tokens, preempted=0
        )
        self.meter.on_state(
            running=self.running, waiting=waiting, kv_usage=self.running / most, hit_tokens=0
        )

    async def play(self, play: _Play, send: Send) -> None:
        async with self._slots:
            self.running += 1
            try:
                self.note_step(play.answer.prompt_tokens, 0)
                await play.perform(send)
            finally:
                self.running -= 1
                self.note_step(0, 0)

    async def _respond(self, request: Request) -> Response:
        asked = Asked(request.scope["path"], json.loads(await request.body()))
        asked.traceparent = request.headers.get("traceparent")
        self.asked.append(asked)
        return _Play(self, asked)


class _Play(Response):
    """One answer under way; a caller that leaves ends it at once."""

    def __init__(self, engine: ScriptedEngine, asked: Asked) -> None:
        self.answer = ScriptedAnswer(asked.body, is_chat=asked.path.endswith("/chat/completions"))
        self._engine = engine
        self._asked = asked
        self._script = engine.script.for_prompt(self.answer.texts)
        if self._script.fault is Fault.OTHER_MODEL:
            self.answer.model = "another-model"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = asyncio.ensure_future(self._engine.play(self, send))
        leave = asyncio.ensure_future(receive())  # the body was read: what comes is a farewell
        try:
            await asyncio.wait({work, leave}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leave.cancel()
            if not work.done():
                self._asked.is_aborted = True
                work.cancel()
        with suppress(asyncio.CancelledError):
            await work

    async def perform(self, send: Send) -> None:
        fault = self._script.fault
        if fault is not None and fault in _REFUSALS:
            status, kind, says = _REFUSALS[fault]
            error = {"message": says, "type": kind, "param": None, "code": status}
            await _tell(send, status, json.dumps({"error": error}).encode())
        elif self._asked.body.get("stream"):
            await self._stream(send)
        else:
            await self._whole(send)

    async def _stream(self, send: Send) -> None:
        await send(_start(200, b"text/event-stream; charset=utf-8"))
        await asyncio.sleep(self._script.first_token_s)
        for number in range(self.answer.tokens):
            if number == self._script.after_tokens and await self._break(send):
                return
            await self._engine.turnstile.passed(number)
            await asyncio.sleep(self._script.token_s)
            self._engine.note_step(0, self.answer.choices)
            first = self.answer.first() if number == 0 else b""
            await send(_part(first + self.answer.token(number)))
        await self._engine.turnstile.passed(self.answer.tokens)
        await send(_part(self.answer.last(), more=False))

    async def _break(self, send: Send) -> bool:
        """Does what the script says; True if that was the end of the answer."""
        match self._script.fault:
            case Fault.HANG:
                await asyncio.Event().wait()
            case Fault.DIE:
                pass  # an answer without its end: the server closes the connection
            case Fault.NO_FINISH:
                await send(_part(DONE, more=False))
            case Fault.NO_DONE:
                await send(_part(b"", more=False))
            case Fault.ERROR_FRAME:
                error = {"message": "EngineCore died", "type": "InternalServerError", "code": 500}
                await send(_part(event({"error": error}) + DONE, more=False))
            case Fault.DEAD_END:
                error = {"message": "no token", "type": "BadRequestError", "code": 400}
                await send(_part(event({"error": error}) + DONE, more=False))
            case Fault.NOT_JSON:
                await send(_part(b"data: {half\n\n" + DONE, more=False))
            case Fault.HUGE_FRAME:
                await send(_part(b"data: " + b"x" * HUGE_FRAME_BYTES, more=False))
            case _:
                return False
        return True

    async def _whole(self, send: Send) -> None:
        await self._engine.turnstile.passed(self.answer.tokens)
        await asyncio.sleep(self._script.first_token_s + self._script.token_s * self.answer.tokens)
        if self._script.fault is Fault.HANG:
            await asyncio.Event().wait()
        self._engine.note_step(0, self.answer.tokens * self.answer.choices)
        body = self.answer.whole()
        if self._script.fault is Fault.NOT_JSON:
            body = b"<html>Bad gateway</html>"
        if self._script.fault is Fault.DIE:
            await send(_start(200, b"application/json", len(body)))
            await send(_part(body[: len(body) // 2]))
        else:
            await _tell(send, 200, body)


class _Meter(LoadMeter):
    """Honest unless the script says otherwise."""

    def __init__(self, engine: ScriptedEngine) -> None:
        super().__init__()
        self._engine = engine

    async def subscribe(self, kv_tokens_max: int) -> AsyncIterator[bytes]:
        reports = self._engine.script.reports
        if reports is Reports.HONEST:
            async for line in super().subscribe(kv_tokens_max):
                yield line
        while True:
            if reports is Reports.ABSURD:
                yield b"".join(ABSURD_REPORTS)
            if reports is Reports.ENDLESS:
                yield ENDLESS_REPORT
            await asyncio.sleep(HEARTBEAT_S)


async def _tokenize(request: Request) -> Response:
    """A token for each byte. A chat is its text alone."""
    body = await request.json()
    texts = [message["content"] for message in body["messages"]] if "messages" in body else []
    tokens = list("".join(texts or [body["prompt"]]).encode())
    return JSONResponse({"tokens": tokens, "count": len(tokens), "asked": body})


async def _detokenize(request: Request) -> Response:
    return JSONResponse({"prompt": bytes((await request.json())["tokens"]).decode()})


async def _tell(send: Send, status: int, body: bytes) -> None:
    await send(_start(status, b"application/json", len(body)))
    await send(_part(body, more=False))


def _start(status: int, content_type: bytes, length: int | None = None) -> Message:
    headers = [(b"content-type", content_type)]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    return {"type": "http.response.start", "status": status, "headers": headers}


def _part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}
