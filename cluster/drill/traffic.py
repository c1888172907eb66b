"""Requests at an even pace, kind after kind, and what their callers saw."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from cluster.drill.gateway_copy import GatewayCopy
from cluster.drill.request_kinds import ANSWER_TOKENS_MAX, RequestKind
from cluster.drill.scripted_targets import mark

PATIENCE_S = 12.0  # of a caller: longer than the slowest target takes to its first token
NO_ANSWER, BROKEN_OFF = "no_answer", "broken_off"
_LAST_FRAME, _ERROR_FRAME = b"data: [DONE]", b'data: {"error"'


@dataclass(frozen=True, slots=True)
class Seen:
    """What the caller of one request saw. ``code`` is empty where it got its answer whole."""

    serial: int
    kind: int  # its place among the kinds
    is_under_fault: bool
    code: str
    status: int | None = None
    target: str = ""  # local:<replica> or offer:<id>
    model: str = ""
    request_id: str = ""
    ttft_ms: float | None = None


class Caller:
    """Sends requests of the given kinds to one copy; each has a serial number of its own."""

    def __init__(
        self, copy: GatewayCopy, kinds: Sequence[RequestKind], http: aiohttp.ClientSession
    ) -> None:
        self.seen: list[Seen] = []
        self._copy = copy
        self._kinds = kinds
        self._http = http
        self._serials = itertools.count()

    async def send(self, requests: int, rate_per_s: float, *, is_under_fault: bool) -> None:
        """Starts one after the other at the pace, and returns when the last one is over."""
        started_s = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(requests):
                due_s = started_s + number / rate_per_s
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                kind = number % len(self._kinds)
                group.create_task(self._ask(kind, is_under_fault=is_under_fault))

    async def _ask(self, kind: int, *, is_under_fault: bool) -> None:
        serial = next(self._serials)
        wanted = self._kinds[kind]
        body = {
            "model": wanted.model,
            "messages": [{"role": "user", "content": f"{mark(serial)} {wanted.text}"}],
            "max_tokens": ANSWER_TOKENS_MAX,
            "stream": True,
        }
        key = {"authorization": f"Bearer {self._copy.keys[wanted.tenant]}"}
        started_s, url = time.monotonic(), f"{self._copy.url}/chat/completions"
        seen = Seen(serial, kind, is_under_fault, NO_ANSWER)
        try:
            async with self._http.post(url, json=body, headers=key | dict(wanted.headers)) as got:
                first = await got.content.readany()
                ttft_ms = (time.monotonic() - started_s) * 1000
                told = first + await got.content.read()
                seen = _seen(seen, got, told, ttft_ms)
        except (aiohttp.ClientError, TimeoutError):
            pass  # as its caller saw it: no answer
        self.seen.append(seen)


@asynccontextmanager
async def caller(copy: GatewayCopy, kinds: Sequence[RequestKind]) -> AsyncIterator[Caller]:
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as http:
        yield Caller(copy, kinds, http)


def _seen(seen: Seen, got: aiohttp.ClientResponse, told: bytes, ttft_ms: float) -> Seen:
    code = ""
    if got.status != 200:
        code = _code(told)
    elif _LAST_FRAME not in told or _ERROR_FRAME in told:
        code = BROKEN_OFF
    return Seen(
        serial=seen.serial,
        kind=seen.kind,
        is_under_fault=seen.is_under_fault,
        code=code,
        status=got.status,
        target=got.headers.get("x-baseload-target", ""),
        model=got.headers.get("x-baseload-model", ""),
        request_id=got.headers.get("x-request-id", ""),
        ttft_ms=None if code else ttft_ms,
    )


def _code(told: bytes) -> str:
    try:
        return str(json.loads(told)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "no_error_body"
