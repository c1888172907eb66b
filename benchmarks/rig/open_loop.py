"""An open-loop load client: each request is sent at its time, whatever became of those before it.

It runs as a process of its own. Prompts are digits, one token each in the tiny model, drawn anew
for every request, so that no prefix cache helps. While it runs, it reads the load reports that
the engines push, which hold the engines' own counters.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import aiohttp
import uvloop
from pydantic import TypeAdapter

from benchmarks.rig.closed_loop import ANSWER_S_MAX, MODEL, ROOT, TAIL_READS, BenchmarkError, Target
from benchmarks.rig.fair_share import raise_session
from scheduler.replica import LoadReport

TEMPLATE_TOKENS = 12  # what the chat template of the tiny model adds to a prompt
DIGITS = "3456789"  # no two of them are one token
FAILED = 0  # the status of a request that got no answer at all
LEAD_S = 0.5  # from the start of the client to its first request
QUIET_S = 1.0  # reports are read this long after the last answer
STOP_S_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Ask:
    """One request; ``prompt_tokens`` counts the chat template."""

    at_s: float
    prompt_tokens: int
    output_tokens: int
    budget_ms: int


@dataclass(frozen=True, slots=True)
class Plan:
    endpoint: Target
    engines: tuple[Target, ...]  # whose reports are read
    asks: tuple[Ask, ...]  # by time
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """Times are from the moment the request was sent; ``at_s`` is that moment in the run."""

    ask: Ask
    at_s: float
    status: int
    target: str = ""
    reason: str = ""
    held_ms: float = 0.0
    ttft_ms: float = 0.0
    e2e_ms: float = 0.0
    retry_after_s: int | None = None
    is_whole: bool = False

    @property
    def is_local(self) -> bool:
        return self.target.startswith("local:")

    @property
    def is_bought(self) -> bool:
        return self.target.startswith("offer:")


@dataclass(frozen=True, slots=True)
class Sighting:
    """A load report, and when it came."""

    at_s: float
    report: LoadReport


@dataclass(slots=True)
class Seen:
    answers: list[Answer] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)

    def of_engine(self, number: int) -> list[Sighting]:
        name = replica_id(number)
        return [each for each in self.sightings if each.report.replica_id == name]


def replica_id(number: int) -> str:
    return f"engine-{number}"


def run_apart(plan: Plan) -> Seen:
    """``play`` in a process of its own. Raises BenchmarkError."""
    last_s = plan.asks[-1].at_s if plan.asks else 0.0
    with tempfile.TemporaryFile() as told:
        try:
            subprocess.run(
                [sys.executable, "-m", "benchmarks.rig.open_loop"],
                input=TypeAdapter(Plan).dump_json(plan),
                stdout=told,
                stderr=subprocess.PIPE,
                cwd=ROOT,
                timeout=last_s + ANSWER_S_MAX + STOP_S_MAX,
                check=True,
                start_new_session=True,
            )
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip()
            raise BenchmarkError(f"the load client failed: {said}") from None
        except (subprocess.TimeoutExpired, OSError) as error:
            raise BenchmarkError(f"the load client failed: {error}") from None
        told.seek(0)
        return TypeAdapter(Seen).validate_json(told.read())


async def play(plan: Plan) -> Seen:
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=ANSWER_S_MAX)
    timeout = aiohttp.ClientTimeout(total=ANSWER_S_MAX)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        player = _Player(plan, session)
        readers = [
            asyncio.create_task(player.read_reports(number, engine))
            for number, engine in enumerate(plan.engines)
        ]
        tasks = []
        for number, ask in enumerate(plan.asks):
            await asyncio.sleep(player.start_s + ask.at_s - time.perf_counter())
            tasks.append(asyncio.create_task(player.ask(number, ask)))
        await asyncio.gather(*tasks)
        await asyncio.sleep(QUIET_S)
        for reader in readers:
            reader.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*readers)
    return player.seen


class _Player:
    def __init__(self, plan: Plan, session: aiohttp.ClientSession) -> None:
        self.seen = Seen()
        self.start_s = time.perf_counter() + LEAD_S
        self._plan = plan
        self._session = session

    def _now_s(self) -> float:
        return time.perf_counter() - self.start_s

    async def ask(self, number: int, ask: Ask) -> None:
        sent_s = self._now_s()
        try:
            answer = await self._ask(number, ask, sent_s)
        except (aiohttp.ClientError, TimeoutError):
            answer = Answer(ask, sent_s, FAILED)
        self.seen.answers.append(answer)

    async def _ask(self, number: int, ask: Ask, sent_s: float) -> Answer:
        endpoint = self._plan.endpoint
        headers = {
            "authorization": f"Bearer {endpoint.key}",
            "content-type": "application/json",
            "x-baseload-latency-budget-ms": str(ask.budget_ms),
        }
        body = request_body(ask, f"{self._plan.seed}:{number}")
        first_s = 0.0
        tail: list[bytes] = []
        url = endpoint.base_url + "/chat/completions"
        async with self._session.post(url, data=body, headers=headers) as response:
            while part := await response.content.readany():
                first_s = first_s or self._now_s()
                tail = [*tail[1 - TAIL_READS :], part]
            told = response.headers
            retry_after = told.get("retry-after")
            return Answer(
                ask,
                at_s=sent_s,
                status=response.status,
                target=told.get("x-baseload-target", ""),
                reason=told.get("x-baseload-reason", ""),
                held_ms=float(told.get("x-baseload-held-ms", "0")),
                ttft_ms=(first_s - sent_s) * 1000,
                e2e_ms=(self._now_s() - sent_s) * 1000,
                retry_after_s=None if retry_after is None else int(retry_after),
                is_whole=b"".join(tail).endswith(b"data: [DONE]\n\n"),
            )

    async def read_reports(self, number: int, engine: Target) -> None:
        url = engine.base_url.removesuffix("/v1") + "/load"
        headers = {"authorization": f"Bearer {engine.key}"}
        endless = aiohttp.ClientTimeout(total=None)
        async with self._session.get(url, headers=headers, timeout=endless) as response:
            response.raise_for_status()
            while line := await response.content.readline():
                report = LoadReport(replica_id(number), 0, **json.loads(line))
                self.seen.sightings.append(Sighting(self._now_s(), report))


def request_body(ask: Ask, seed: str) -> bytes:
    count = max(1, ask.prompt_tokens - TEMPLATE_TOKENS)
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "".join(Random(seed).choices(DIGITS, k=count))}],
        "max_tokens": ask.output_tokens,
        "ignore_eos": True,
        "temperature": 0,
        "stream": True,
    }
    return json.dumps(body).encode()


def main() -> None:
    """Reads a ``Plan`` as JSON from stdin, writes what was ``Seen`` to stdout."""
    plan = TypeAdapter(Plan).validate_json(sys.stdin.buffer.read())
    raise_session()
    try:
        seen = uvloop.run(play(plan))
    except aiohttp.ClientError as error:
        sys.exit(f"benchmarks.rig.open_loop: {error}")
    sys.stdout.buffer.write(TypeAdapter(Seen).dump_json(seen))


if __name__ == "__main__":
    main()
