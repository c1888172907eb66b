"""A closed-loop load client: c askers, each with one streamed chat answer under way at a time.

It does so little per chunk that the server is what is measured, and it runs as a process of its
own, so that its work is not counted as the server's. What the askers do before and after the
window is left out: connections are open and batches full when counting starts. An answer counts
only if it has all its tokens and its ``[DONE]``; anything else is an error.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import aiohttp
import psutil
import uvloop
from pydantic import TypeAdapter

ROOT = Path(__file__).parents[2]
MODEL = "tiny-moe"
PROMPT = "Tell me a story about a river, a mill, and what the miller found there."
ANSWER_S_MAX = 60.0
ERRORS_MAX = 100  # a cell that fails this often says nothing about speed: it ends early
MESSAGE_CHARS_MAX = 300
TAIL_READS = 4  # the usage frame and [DONE] are within the last reads of an answer
FRAME_END = b"\n\n"


class BenchmarkError(Exception):
    """A part of a benchmark could not be measured; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """``base_url`` ends in /v1; ``key`` is sent as a bearer token."""

    base_url: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Load:
    targets: tuple[Target, ...]  # asked round robin
    concurrency: int
    tokens: int  # of each answer
    window_s: float
    settle_s: float = 1.0  # askers at work before the window opens
    spread: bool = False  # askers start one after the other, so that answers do not end together
    watched: dict[str, int] = field(default_factory=dict)  # name → pid: CPU within the window


@dataclass(frozen=True, slots=True)
class Measured:
    """What happened within the window. A chunk is one event of a stream.

    ``req_s`` is counted in chunks: answers of one batch end together, so that whole answers
    would count in steps of a batch.
    """

    concurrency: int
    window_s: float
    answers: int
    errors: int
    first_error: str | None
    req_s: float
    chunks: int
    chunks_s: float
    reads_s: float  # deliveries: below chunks_s where chunks came merged
    ttft_ms_p50: float
    ttft_ms_p99: float
    e2e_ms_p50: float
    client_cpu_share: float  # of one core; near 1 the client is what limits
    machine_cpu_s: float  # of all processes, on all cores
    cpu_s: dict[str, float]

    def cpu_us_per_chunk(self, name: str) -> float:
        return self.cpu_s[name] * 1e6 / self.chunks


@dataclass(frozen=True, slots=True)
class _Answer:
    ended_s: float
    ttft_s: float
    e2e_s: float
    chunks: int


@dataclass(frozen=True, slots=True)
class _Edge:
    """The counters at one edge of the window."""

    at_s: float
    chunks: int
    reads: int
    client_cpu_s: float
    machine_cpu_s: float
    cpu_s: dict[str, float]


def run_apart(load: Load) -> Measured:
    """``measure`` in a process of its own."""
    limit_s = load.settle_s + load.window_s + ANSWER_S_MAX + 30
    try:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.rig.closed_loop"],
            input=TypeAdapter(Load).dump_json(load),
            capture_output=True,
            cwd=ROOT,
            timeout=limit_s,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise BenchmarkError(f"the load client failed: {said}") from None
    except (subprocess.TimeoutExpired, OSError) as error:
        raise BenchmarkError(f"the load client failed: {error}") from None
    return TypeAdapter(Measured).validate_json(done.stdout)


async def measure(load: Load) -> Measured:
    """Raises BenchmarkError if no answer came whole within the window."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=ANSWER_S_MAX)
    timeout = aiohttp.ClientTimeout(total=ANSWER_S_MAX)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        askers = _Askers(load, session)
        tasks = [asyncio.create_task(askers.ask_on(delay_s)) for delay_s in start_delays_s(load)]
        await asyncio.sleep(load.settle_s)
        opened = askers.edge()
        await asyncio.sleep(load.window_s)
        closed = askers.edge()
        askers.stopping = True
        await asyncio.gather(*tasks)
    return _summary(load, askers, opened, closed)


def start_delays_s(load: Load) -> list[float]:
    """One per asker, all within the time that settles."""
    step_s = load.settle_s / load.concurrency if load.spread else 0.0
    return [number * step_s for number in range(load.concurrency)]


class _Askers:
    def __init__(self, load: Load, session: aiohttp.ClientSession) -> None:
        self.stopping = False
        self.answers: list[_Answer] = []
        self.errors = 0
        self.first_error: str | None = None
        self._chunks = 0
        self._reads = 0
        self._session = session
        self._targets: Iterator[Target] = itertools.cycle(load.targets)
        self._body = json.dumps(request_body(load.tokens)).encode()
        self._proof = b'"completion_tokens":%d' % load.tokens
        self._watched = {name: psutil.Process(pid) for name, pid in load.watched.items()}

    def edge(self) -> _Edge:
        times = {name: process.cpu_times() for name, process in self._watched.items()}
        return _Edge(
            at_s=time.perf_counter(),
            chunks=self._chunks,
            reads=self._reads,
            client_cpu_s=time.process_time(),
            machine_cpu_s=sum(psutil.cpu_times()[:3]),  # user, nice, system
            cpu_s={name: each.user + each.system for name, each in times.items()},
        )

    async def ask_on(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        while not self.stopping and self.errors < ERRORS_MAX:
            try:
                self.answers.append(await self._ask(next(self._targets)))
            except (aiohttp.ClientError, TimeoutError, BenchmarkError) as error:
                self.errors += 1
                text = f"{type(error).__name__}: {error}"[:MESSAGE_CHARS_MAX]
                self.first_error = self.first_error or text

    async def _ask(self, target: Target) -> _Answer:
        headers = {"authorization": f"Bearer {target.key}", "content-type": "application/json"}
        parts: list[bytes] = []
        chunks = 0
        started_s = time.perf_counter()
        first_s = started_s
        async with self._session.post(
            target.base_url + "/chat/completions", data=self._body, headers=headers
        ) as response:
            if response.status != 200:
                raise BenchmarkError(f"{response.status} {await response.text()}")
            read = response.content.readany
            while part := await read():
                if not parts:
                    first_s = time.perf_counter()
                count = part.count(FRAME_END)
                chunks += count
                self._chunks += count
                self._reads += 1
                parts.append(part)
        ended_s = time.perf_counter()
        tail = b"".join(parts[-TAIL_READS:])
        if not tail.endswith(b"data: [DONE]\n\n") or self._proof not in tail:
            raise BenchmarkError(f"the answer is not whole; it ends {tail[-MESSAGE_CHARS_MAX:]!r}")
        return _Answer(ended_s, first_s - started_s, ended_s - started_s, chunks)


def request_body(tokens: int) -> dict[str, object]:
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": PROMPT}],
        "max_tokens": tokens,
        "ignore_eos": True,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least ``share`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def _summary(load: Load, askers: _Askers, opened: _Edge, closed: _Edge) -> Measured:
    inside = [each for each in askers.answers if opened.at_s <= each.ended_s <= closed.at_s]
    if not inside or askers.errors >= ERRORS_MAX:
        raise BenchmarkError(
            f"{len(inside)} whole answers in {load.window_s:.0f} s at c={load.concurrency}, "
            f"{askers.errors} errors; the first: {askers.first_error}"
        )
    window_s = closed.at_s - opened.at_s
    chunks = closed.chunks - opened.chunks
    ttfts_ms = [each.ttft_s * 1000 for each in inside]
    return Measured(
        concurrency=load.concurrency,
        window_s=window_s,
        answers=len(inside),
        errors=askers.errors,
        first_error=askers.first_error,
        req_s=chunks / window_s / fmean(each.chunks for each in inside),
        chunks=chunks,
        chunks_s=chunks / window_s,
        reads_s=(closed.reads - opened.reads) / window_s,
        ttft_ms_p50=percentile(ttfts_ms, 0.50),
        ttft_ms_p99=percentile(ttfts_ms, 0.99),
        e2e_ms_p50=percentile([each.e2e_s * 1000 for each in inside], 0.50),
        client_cpu_share=(closed.client_cpu_s - opened.client_cpu_s) / window_s,
        machine_cpu_s=closed.machine_cpu_s - opened.machine_cpu_s,
        cpu_s={name: closed.cpu_s[name] - opened.cpu_s[name] for name in load.watched},
    )


def main() -> None:
    """Reads a ``Load`` as JSON from stdin, writes a ``Measured`` to stdout."""
    load = TypeAdapter(Load).validate_json(sys.stdin.buffer.read())
    try:
        measured = uvloop.run(measure(load))
    except (BenchmarkError, psutil.Error) as error:
        sys.exit(f"benchmarks.rig.closed_loop: {error}")
    sys.stdout.buffer.write(TypeAdapter(Measured).dump_json(measured))


if __name__ == "__main__":
    main()
