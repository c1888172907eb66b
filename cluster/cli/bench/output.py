"""What `baseload bench` shows: rates of the moment on stderr, and what came of it on stdout."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from rich.live import Live
from rich.table import Table
from rich.text import Text

from benchmarks.load.bench import Watcher
from benchmarks.load.figures import FIGURES, dollars, milliseconds, per_second, theta_in_words
from benchmarks.load.result import Bench
from benchmarks.load.run import Run
from benchmarks.load.theta_sweep import Sweep
from benchmarks.load.worker_processes import Pulse
from benchmarks.pages import UNKNOWN
from benchmarks.simulation.figures import share
from cluster.cli.terminal import note, page

RATE_S = 3.0  # over which a rate of the moment is taken
FIRST_TOKENS_MAX = 512


@contextmanager
def watching() -> Iterator[Watcher]:
    """A line that moves on a terminal; a line per run, once it is done, everywhere."""
    with Live(console=note, refresh_per_second=4, transient=True) as live:
        moment = _Moment(live)
        yield Watcher(moment.on_stage, moment.on_pulse, moment.on_run, moment.notice)


class _Moment:
    def __init__(self, live: Live) -> None:
        self._live = live
        self._name = ""
        self._lasting_s = 0.0
        self._pulses: deque[Pulse] = deque()
        self._first_tokens_ms: deque[float] = deque(maxlen=FIRST_TOKENS_MAX)

    def on_stage(self, name: str, lasting_s: float) -> None:
        self._name, self._lasting_s = name, lasting_s
        self._pulses.clear()
        self._first_tokens_ms.clear()

    def on_pulse(self, pulse: Pulse) -> None:
        for row in pulse.rows:
            if row.first_token_s is not None:
                self._first_tokens_ms.append((row.first_token_s - row.scheduled_s) * 1000)
        self._pulses.append(pulse)
        while pulse.at_s - self._pulses[0].at_s > RATE_S:
            self._pulses.popleft()
        if note.is_terminal:
            self._live.update(Text(self._line(pulse), no_wrap=True, overflow="ellipsis"))

    def _line(self, pulse: Pulse) -> str:
        first = self._pulses[0]
        span_s = max(1e-3, pulse.at_s - first.at_s)
        late = median(self._first_tokens_ms) if self._first_tokens_ms else None
        return "  ".join(
            (
                f"{self._name}:",
                f"{max(0.0, pulse.at_s):.0f} of {self._lasting_s:.0f} s",
                f"sent {(pulse.sent - first.sent) / span_s:.1f}/s",
                f"answered {(pulse.answered - first.answered) / span_s:.1f}/s",
                f"tokens {(pulse.token_events - first.token_events) / span_s:,.0f}/s",
                f"under way {pulse.in_flight}",
                f"failed {pulse.failed}",
                f"first token {UNKNOWN if late is None else milliseconds(late)}",
            )
        )

    def on_run(self, run: Run) -> None:
        found = run.measures
        late = UNKNOWN if found.ttft_ms is None else milliseconds(found.ttft_ms.p99)
        in_time = UNKNOWN if found.attainment is None else share(found.attainment)
        self.notice(
            f"{self._name}: {per_second(found.good_tok_s)} good of "
            f"{per_second(found.output_tok_s)} tokens/s, {in_time} in time, "
            f"first token p99 {late}, {sum(found.errors.values())} failed"
        )

    def notice(self, text: str) -> None:
        note.print(f"  {text}")


def show(bench: Bench, *, as_json: bool) -> None:
    for text in bench.all_notes():
        note.print(f"note: {text}")
    if as_json:
        print(json.dumps(bench.as_json(), indent=2))
        return
    out = page()
    if bench.sweep is not None:
        out.print(_curve(bench.sweep))
        out.print(theta_in_words(bench.sweep))
        return
    out.print(_figures(bench))
    for kind, (count, _) in bench.errors().items():
        out.print(f"{kind}: {count} failed")


def _figures(bench: Bench) -> Table:
    count = len(bench.counted)
    table = Table("figure", "what it is", box=None)
    table.add_column("one run" if count == 1 else f"{count} runs, ± 95 %", justify="right")
    for figure in FIGURES:
        shown = figure.shown(bench.counted)
        if shown != UNKNOWN:
            table.add_row(figure.label, figure.says, shown)
    return table


def _curve(sweep: Sweep) -> Table:
    table = Table(box=None)
    names = ("requests/s", "in time", "bought", "utilization", "good tokens/s/card")
    for name in (*names, "USD/M output", "USD/M blended", "busy"):
        table.add_column(name, justify="right")
    for point in sweep.curve():
        table.add_row(
            f"{point['rate_per_s']:.3g}",
            *(
                UNKNOWN if point[key] is None else text(point[key])
                for key, text in (
                    ("attainment", share),
                    ("bought_share", share),
                    ("utilization", share),
                    ("good_tok_s_per_card", per_second),
                    ("usd_per_mtok_output", dollars),
                    ("usd_per_mtok_blended", dollars),
                    ("busy_share", share),
                )
            ),
        )
    return table
