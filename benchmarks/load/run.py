"""One run of a load from start to end: played, measured, metered and priced."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import ceil
from typing import Any, Self, TypeAlias

import polars as pl

from benchmarks.load.gpu import Meters, Telemetry
from benchmarks.load.measures import Measures, Slo, Window, measure
from benchmarks.load.replay import SharePlan
from benchmarks.load.request_row import WHOLE
from benchmarks.load.row_table import table
from benchmarks.load.run_cost import Cost, cost, usd_per_mtok_all
from benchmarks.load.schedule import Traffic
from benchmarks.load.setting import PROCESSES_MAX, Setting
from benchmarks.load.stop_signal import Halt
from benchmarks.load.worker_processes import Crew, OnPulse, Played

TOKENS_PER_PROCESS_S = 10_000  # a guess to start with; a process that is too slow says so
SENDERS_PER_PROCESS = 512
SHORT_ANSWERS = 0.9  # of the length asked for: below it the load is not what was meant
DRAIN_SLACK = 1.5


@dataclass(frozen=True, slots=True)
class Run:
    """``rows`` are in the table of raw rows under ``number``."""

    number: int
    traffic: Traffic
    window: Window
    measures: Measures
    telemetry: Telemetry
    cost: Cost | None  # of what the cards made
    usd_per_mtok_all: float | None  # of all output in time, purchases included
    utilization: float | None  # of theta
    processes: int
    client_cpu_share: float
    client_lag_ms_p99: float
    is_client_bottleneck: bool
    is_interrupted: bool
    has_lost_processes: bool
    messages: dict[str, str]  # the first text of each kind of error
    notes: tuple[str, ...]
    rows: pl.DataFrame = field(repr=False)

    @property
    def has_answers(self) -> bool:
        """Whole ones, those of the warm-up included."""
        return bool((self.rows["error"] == WHOLE).any())

    def as_json(self) -> dict[str, Any]:
        return {
            "run": self.number,
            "traffic": self.traffic.as_json(),
            "window_s": [self.window.from_s, self.window.to_s],
            **self.measures.as_json(),
            "utilization": self.utilization,
            "cost": None if self.cost is None else asdict(self.cost),
            "usd_per_mtok_all": self.usd_per_mtok_all,
            "telemetry": self.telemetry.as_json(),
            "client": {
                "processes": self.processes,
                "cpu_share": self.client_cpu_share,
                "lag_ms_p99": self.client_lag_ms_p99,
            },
            "client_bottleneck": self.is_client_bottleneck,
            "interrupted": self.is_interrupted,
            "error_messages": self.messages,
            "notes": list(self.notes),
        }


Notice: TypeAlias = Callable[[str], None]


class Runner:
    """Plays runs one after another; leaving the context ends the load processes."""

    def __init__(
        self, setting: Setting, on_pulse: OnPulse, notice: Notice, halt: Halt | None = None
    ) -> None:
        self.setting = setting
        self._halt = halt or Halt()
        self._on_pulse = on_pulse
        self._notice = notice
        self._meters = Meters(setting.endpoint, setting.gpus)
        self._crew: Crew | None = None

    def run(self, traffic: Traffic, number: int, drain_s: float | None = None) -> Run:
        """Once more with twice the processes where the client was what limited."""
        crew = self._crew_for(processes_for(traffic) if self._crew is None else self._crew.size)
        while True:
            found = self._run(crew, traffic, number, drain_s)
            if found.has_lost_processes:
                self.close()
                return found
            more = min(2 * crew.size, os.cpu_count() or 1)
            is_fixed = self.setting.processes is not None
            if not found.is_client_bottleneck or found.is_interrupted or is_fixed:
                return found
            if more <= crew.size:
                return found
            self._notice(
                f"the client was the bottleneck with {crew.size} process"
                f"{'' if crew.size == 1 else 'es'}: once more with {more}"
            )
            crew = self._crew_for(more)

    def _run(self, crew: Crew, traffic: Traffic, number: int, drain_s: float | None) -> Run:
        setting = self.setting
        with self._meters.watch() as watch:
            played = crew.play(self._plan(traffic, drain_s), self._on_pulse, self._halt)
        window = _window(setting, played)
        rows = table(played.rows, number)
        measures = measure(rows, window, setting.slo)
        span = Window(played.start_s + window.from_s, played.start_s + window.to_s)
        telemetry = self._meters.telemetry(watch.samples, span, measures.output_tok_s)
        notes = tuple(_notes(setting, played, measures, rows, watch.failure))
        return Run(
            number=number,
            traffic=traffic,
            window=window,
            measures=measures,
            telemetry=telemetry,
            cost=cost(
                setting.card_usd_per_h,
                setting.cards,
                measures.own.good_tok_s,
                measures.own.good_input_tok_s,
            ),
            usd_per_mtok_all=None
            if measures.bought is None
            else usd_per_mtok_all(
                setting.card_usd_per_h,
                setting.cards,
                measures.bought.usd_per_h,
                measures.good_tok_s,
            ),
            utilization=(
                None
                if setting.theta is None
                else measures.own.good_tok_s / setting.cards / setting.theta
            ),
            processes=crew.size,
            client_cpu_share=max((each.cpu_share for each in played.health), default=0.0),
            client_lag_ms_p99=max((each.lag_ms_p99 for each in played.health), default=0.0),
            is_client_bottleneck=played.is_client_bottleneck,
            is_interrupted=played.interrupted_s is not None,
            has_lost_processes=played.lost_processes > 0,
            messages=played.messages,
            notes=notes,
            rows=rows,
        )

    def _plan(self, traffic: Traffic, drain_s: float | None) -> SharePlan:
        setting = self.setting
        lasting_s = setting.window.to_s
        asks = traffic.asks(lasting_s)
        return SharePlan(
            endpoints=(setting.endpoint,),
            wording=setting.wording,
            block_tokens=traffic.block_tokens,
            # Each run must have prompts of its own, or the one before it would warm its cache.
            seed=time.time_ns(),
            asks=tuple(asks),
            is_closed=traffic.is_closed,
            in_flight_max=traffic.in_flight_max,
            start_s=0.0,  # the crew's to say
            lasting_s=lasting_s,
            drain_s=setting.endpoint.timeout_s if drain_s is None else drain_s,
        )

    def _crew_for(self, size: int) -> Crew:
        size = self.setting.processes or size
        if self._crew is None or self._crew.size != size:
            self.close()
            self._crew = Crew(size)
        return self._crew

    def close(self) -> None:
        if self._crew is not None:
            self._crew.close()
            self._crew = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def processes_for(traffic: Traffic) -> int:
    """A first guess, by the tokens per second or the requests under way."""
    if traffic.is_closed:
        wanted = traffic.in_flight_max / SENDERS_PER_PROCESS
    elif traffic.rows:
        rate = traffic.rate_per_s or traffic.own_rate_per_s()
        mean = sum(row.output_tokens for row in traffic.rows) / len(traffic.rows)
        wanted = rate * mean * traffic.length_scale / TOKENS_PER_PROCESS_S
    else:
        wanted = (traffic.rate_per_s or 0.0) * traffic.output_tokens / TOKENS_PER_PROCESS_S
    return min(max(1, ceil(wanted)), os.cpu_count() or 1, PROCESSES_MAX)


def deadline_s(traffic: Traffic, slo: Slo) -> float:
    """How long after its time a request of this load can still turn out good."""
    longest = max((row.output_tokens for row in traffic.rows), default=traffic.output_tokens)
    if traffic.rows:
        longest = round(longest * traffic.length_scale)
    return DRAIN_SLACK * (slo.ttft_ms + slo.tpot_ms * longest) / 1000


def _window(setting: Setting, played: Played) -> Window:
    """Of a run that was cut short, what it had of it, or its second half where that is longer."""
    whole = setting.window
    if played.interrupted_s is None or played.interrupted_s >= whole.to_s:
        return whole
    return Window(min(whole.from_s, played.interrupted_s / 2), max(0.001, played.interrupted_s))


def _notes(
    setting: Setting, played: Played, found: Measures, rows: pl.DataFrame, failure: str | None
) -> Sequence[str]:
    notes = []
    if played.interrupted_s is not None:
        notes.append(f"stopped after {max(0.0, played.interrupted_s):.0f} s: figures are of that")
    if played.is_client_bottleneck:
        notes.append(
            "the client was the bottleneck: its figures say more about this machine than about "
            "the server; give more --processes, or another machine"
        )
    if played.lost_processes:
        notes.append(f"{played.lost_processes} load processes died: their last rows are missing")
    if not found.requests:
        notes.append("no request fell into the window: lengthen --seconds")
    asked, told = found.asked_output_tokens_mean, found.output_tokens_mean
    if asked and told is not None and told < SHORT_ANSWERS * asked:
        notes.append(
            f"answers had {told:.0f} tokens where {asked:.0f} were asked for: give --ignore-eos "
            "where the server knows it"
        )
    notes += _of_purchases(found)
    if lost := int(rows["gaps_lost"].sum()):
        notes.append(f"{lost} gaps between tokens of very long answers were not kept")
    return [*notes, *([failure] if failure else [])]


def _of_purchases(found: Measures) -> Sequence[str]:
    bought = found.bought
    if bought is None or not bought.answers:
        return ()
    notes = [
        f"{bought.share:.0%} of the answers were bought from APIs: utilization, theta and USD per "
        "M tokens are of the cards alone, and a load that needs purchases is above theta"
    ]
    if bought.usd_per_h is None:
        notes.append("the endpoint did not tell what the purchases cost: they are in no figure")
    return notes


def with_seed(traffic: Traffic, run: int) -> Traffic:
    """The same load, drawn anew for each run."""
    return replace(traffic, seed=traffic.seed + run)
