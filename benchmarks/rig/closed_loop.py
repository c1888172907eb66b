"""A closed loop for a window: c streams, each with one answer under way at a time.

It is played by ``benchmarks.load`` in a process of its own, so that its work is not counted as the
server's, and counts chunks instead of reading them, so that the server is what is measured. What
is asked before and after the window is left out: connections are open and batches full when
counting starts. An answer counts only if it has all its tokens and its ``[DONE]``; anything else
is an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean

from benchmarks.load.counter_snapshot import Edge
from benchmarks.load.endpoint import Endpoint
from benchmarks.load.prompt import Wording
from benchmarks.load.replay import SharePlan
from benchmarks.load.request_row import WHOLE, Row
from benchmarks.load.schedule import Ask
from benchmarks.load.stop_signal import Halt
from benchmarks.load.worker_processes import Crew, Played
from benchmarks.rig.common import ANSWER_S_MAX, MODEL, BenchmarkError, Target, percentile

PROMPT = "Tell me a story about a river, a mill, and what the miller found there."
ERRORS_MAX = 100  # a cell that fails this often says nothing about speed


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    targets: tuple[Target, ...]  # asked round robin
    concurrency: int
    tokens: int  # of each answer
    window_s: float
    settle_s: float = 1.0  # streams at work before the window opens
    spread: bool = False  # streams start one after the other, so that answers do not end together
    watched: dict[str, int] = field(default_factory=dict)  # name → pid: CPU within the window
    prompt: str = PROMPT
    model: str = MODEL

    def plan(self) -> SharePlan:
        ends_s = self.settle_s + self.window_s
        return SharePlan(
            endpoints=tuple(endpoint(target, model=self.model) for target in self.targets),
            wording=Wording(),
            block_tokens=0,
            seed=0,
            asks=(Ask(0, 0.0, 1, self.tokens),),
            is_closed=True,
            in_flight_max=self.concurrency,
            start_s=0.0,  # the crew's to say
            lasting_s=ends_s,
            drain_s=ANSWER_S_MAX,
            prompt=self.prompt,
            spread_s=self.settle_s if self.spread else 0.0,
            is_light=True,
            edges_s=(self.settle_s, ends_s),
            watched=self.watched,
        )


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


def endpoint(target: Target, kept_headers: tuple[str, ...] = (), model: str = MODEL) -> Endpoint:
    """The endpoint of the tiny model, whose answers have the length that they are asked for."""
    return Endpoint(
        target.base_url,
        model,
        target.key,
        extra_body={"ignore_eos": True},
        timeout_s=ANSWER_S_MAX,
        asks_cost=False,
        kept_headers=kept_headers,
    )


def run_apart(load: ClosedLoop) -> Measured:
    """Plays the loop in a process of its own. Raises BenchmarkError if no answer came whole within
    the window."""
    return measured(load, played_apart(load.plan()))


def played_apart(plan: SharePlan, halt: Halt | None = None) -> Played:
    with Crew(1) as crew:
        played = crew.play(plan, lambda _: None, halt or Halt())
    if played.lost_processes:
        raise BenchmarkError("the load process died; what it said is above")
    return played


def measured(load: ClosedLoop, played: Played) -> Measured:
    opened, closed = played.health[0].edges
    whole = [row for row in played.rows if _is_whole(row)]
    inside = [row for row in whole if opened.at_s <= row.ended_s <= closed.at_s]
    errors, first_error = len(played.rows) - len(whole), _first_error(played)
    if not inside or errors >= ERRORS_MAX:
        raise BenchmarkError(
            f"{len(inside)} whole answers in {load.window_s:.0f} s at c={load.concurrency}, "
            f"{errors} errors; the first: {first_error}"
        )
    return _summary(load, inside, errors, first_error, opened, closed)


def _is_whole(row: Row) -> bool:
    return row.error == WHOLE and row.output_tokens == row.asked_output_tokens


def _first_error(played: Played) -> str | None:
    for row in sorted(played.rows, key=lambda row: row.ended_s):
        if row.error != WHOLE:
            return f"{row.error}: {played.messages.get(row.error, '')}"
        if not _is_whole(row):
            return f"not whole: {row.output_tokens} of {row.asked_output_tokens} tokens"
    return None


def _summary(
    load: ClosedLoop,
    inside: list[Row],
    errors: int,
    first_error: str | None,
    opened: Edge,
    closed: Edge,
) -> Measured:
    window_s, chunks = closed.at_s - opened.at_s, closed.events - opened.events
    ttfts_ms = [1000 * ((row.first_token_s or 0.0) - row.sent_s) for row in inside]
    return Measured(
        concurrency=load.concurrency,
        window_s=window_s,
        answers=len(inside),
        errors=errors,
        first_error=first_error,
        req_s=chunks / window_s / fmean(row.events for row in inside),
        chunks=chunks,
        chunks_s=chunks / window_s,
        reads_s=(closed.reads - opened.reads) / window_s,
        ttft_ms_p50=percentile(ttfts_ms, 0.50),
        ttft_ms_p99=percentile(ttfts_ms, 0.99),
        e2e_ms_p50=percentile([1000 * (row.ended_s - row.sent_s) for row in inside], 0.50),
        client_cpu_share=(closed.client_cpu_s - opened.client_cpu_s) / window_s,
        machine_cpu_s=closed.machine_cpu_s - opened.machine_cpu_s,
        cpu_s={name: closed.cpu_s[name] - opened.cpu_s[name] for name in load.watched},
    )
