"""An open loop on the tiny model: each request is sent at its time, whatever became of the others.

It is played by ``benchmarks.load`` in a process of its own. Prompts are digits, one token each in
the tiny model, drawn anew for every request, so that no prefix cache helps. Meanwhile the load
reports that the engines push are read, which hold the engines' own counters.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace

import aiohttp

from benchmarks.load.prompt import Wording
from benchmarks.load.replay import SharePlan
from benchmarks.load.request_row import WHOLE, ErrorKind, Row
from benchmarks.load.schedule import Ask
from benchmarks.load.stop_signal import Halt
from benchmarks.rig.closed_loop import endpoint, played_apart
from benchmarks.rig.common import ANSWER_S_MAX, BenchmarkError, Target
from benchmarks.rig.fair_share import raised_session
from scheduler.replica import LoadReport
from scheduler.target import TargetKind

TEMPLATE_TOKENS = 12  # what the chat template of the tiny model adds to a prompt
DIGITS = "3456789"  # no two of them are one token
WORDING = Wording(1.0, TEMPLATE_TOKENS, tuple(DIGITS), separator="")
FAILED = 0  # the status of a request that got no answer at all
QUIET_S = 1.0  # reports are read this long after the last answer
REASON, HELD_MS, RETRY_AFTER = "x-baseload-reason", "x-baseload-held-ms", "retry-after"


@dataclass(frozen=True, slots=True)
class OpenLoop:
    targets: tuple[Target, ...]  # asked round robin
    engines: tuple[Target, ...]  # whose reports are read
    asks: tuple[Ask, ...]  # by time; a prompt's tokens count the chat template
    seed: int = 1

    def plan(self) -> SharePlan:
        kept = (REASON, HELD_MS, RETRY_AFTER)
        return SharePlan(
            endpoints=tuple(endpoint(target, kept) for target in self.targets),
            wording=WORDING,
            block_tokens=0,
            seed=self.seed,
            asks=tuple(replace(ask, number=number) for number, ask in enumerate(self.asks)),
            is_closed=False,
            in_flight_max=len(self.asks),
            start_s=0.0,  # the crew's to say
            lasting_s=self.asks[-1].at_s,
            drain_s=ANSWER_S_MAX,
            is_light=True,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """Times are from the moment the request was sent; ``at_s`` is that moment in the run. The first
    of its chunks counts as its first token. It is whole if it ended with [DONE] and without an
    error; one that broke off keeps its status."""

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
        return self.target.startswith(TargetKind.LOCAL.prefix)

    @property
    def is_bought(self) -> bool:
        return self.target.startswith(TargetKind.OFFER.prefix)


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


def run_apart(loop: OpenLoop) -> Seen:
    """Plays the loop in a process of its own. Raises BenchmarkError if that fails."""
    with raised_session():
        try:
            return asyncio.run(_run(loop))
        except aiohttp.ClientError as error:
            raise BenchmarkError(f"an engine does not report its load: {error}") from None


async def _run(loop: OpenLoop) -> Seen:
    sightings: list[Sighting] = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        readers = [
            asyncio.create_task(_read_reports(session, number, engine, sightings))
            for number, engine in enumerate(loop.engines)
        ]
        halt = Halt()
        try:
            played = await asyncio.to_thread(played_apart, loop.plan(), halt)
        except asyncio.CancelledError:  # the thread cannot be: it has to be told
            halt.is_wanted = True
            raise
        await asyncio.sleep(QUIET_S)
        for reader in readers:
            reader.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*readers)
    return Seen(
        [answer_of(loop.asks[row.number], row) for row in played.rows],
        [replace(each, at_s=each.at_s - played.start_s) for each in sightings],
    )


async def _read_reports(
    session: aiohttp.ClientSession, number: int, engine: Target, into: list[Sighting]
) -> None:
    url = engine.base_url.removesuffix("/v1") + "/load"
    headers = {"authorization": f"Bearer {engine.key}"}
    async with session.get(url, headers=headers) as response:
        response.raise_for_status()
        while line := await response.content.readline():
            report = LoadReport(**json.loads(line), replica_id=replica_id(number), generation=0)
            into.append(Sighting(time.monotonic(), report))


def answer_of(ask: Ask, row: Row) -> Answer:
    retry_after = row.headers.get(RETRY_AFTER)
    return Answer(
        ask,
        at_s=row.sent_s,
        status=row.status,
        target=row.target or "",
        reason=row.headers.get(REASON, ""),
        held_ms=float(row.headers.get(HELD_MS, "0")),
        ttft_ms=0.0 if row.first_token_s is None else (row.first_token_s - row.sent_s) * 1000,
        e2e_ms=(row.ended_s - row.sent_s) * 1000,
        retry_after_s=None if retry_after is None else int(retry_after),
        is_whole=row.error in (WHOLE, ErrorKind.NO_USAGE),
    )
