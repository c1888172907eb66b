"""What Baseload adds: the same engines asked directly and through it, and the gateway alone.

`python -m benchmarks.studies.overhead` starts and stops all it needs. Everything shares one
machine, the client included, so ratios mean more than absolute numbers. A part that fails is named
in the result, and what was measured before it is kept.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from benchmarks.rig.closed_loop import ClosedLoop, Measured, run_apart
from benchmarks.rig.common import ROOT, BenchmarkError, Target
from benchmarks.rig.comparison import Comparison, Pair, compare, direct_first
from benchmarks.rig.gateway_alone import (
    SHORT,
    SPREAD,
    USUAL,
    Cell,
    GatewayAlone,
    chunks_per_s,
    cpu_us_per_chunk,
)
from benchmarks.rig.policy_cost import PROMPT_CHARS, PolicyCost
from benchmarks.rig.provenance import command_line, provenance, rounded_floats
from benchmarks.rig.stack import Stack, running
from benchmarks.rig.terminal import EXIT_INCOMPLETE, keep, note, table_console
from benchmarks.studies.overhead_tables import alone_table, comparison_table, policy_table

RESULT = Path(__file__).parents[1] / "results" / "overhead.json"
CONCURRENCIES = (1, 8, 32)
STACK_ANSWER_TOKENS = 64
WARM_UP_S = 3.0
WARM_UPS_MAX = 5  # of each way
WARM = 1.1  # a further round brings less than this factor


@dataclass(frozen=True, slots=True)
class Effort:
    pairs: int  # cells of each way, per concurrency
    window_s: float  # of a cell
    rounds: int  # of the gateway's CPU cells


FULL = Effort(pairs=4, window_s=5.0, rounds=3)
QUICK = Effort(pairs=2, window_s=2.0, rounds=1)


class Overhead:
    """The study is one run; ``document`` may be asked for at any time."""

    def __init__(self, effort: Effort, port: int | None) -> None:
        self._effort = effort
        self._port = port
        self._origin = provenance()
        self.comparisons: list[Comparison] = []
        self.cells: list[Cell] = []
        self.policy: list[Comparison] = []
        self.failures: list[str] = []

    def run(self, folder: Path) -> None:
        self._part("the stack", lambda: self._compare_all(folder))
        self._part("the gateway alone", lambda: self._measure_alone(folder))
        self._part("rules, tags and the law", lambda: self._measure_policy(folder))

    def _part(self, name: str, work: Callable[[], None]) -> None:
        note.print(f"== {name}")
        try:
            work()
        except (BenchmarkError, OSError, psutil.Error) as error:
            self.failures.append(f"{name}: {error}")
            note.print(f"{name}: {error}", style="red")
        except KeyboardInterrupt:
            self.failures.append(f"{name}: interrupted")
            raise

    def _compare_all(self, folder: Path) -> None:
        with running(folder, self._port) as stack:
            for targets in ((stack.endpoint,), stack.engines):
                _warm_up(targets)
            for concurrency in CONCURRENCIES:
                pairs = [self._pair(stack, concurrency, i) for i in range(self._effort.pairs)]
                self.comparisons.append(compare(pairs))

    def _pair(self, stack: Stack, concurrency: int, number: int) -> Pair:
        def cell(targets: tuple[Target, ...]) -> Measured:
            window_s = self._effort.window_s
            watched = stack.watched
            load = ClosedLoop(targets, concurrency, STACK_ANSWER_TOKENS, window_s, watched=watched)
            return run_apart(load)

        if direct_first(number):
            direct, baseload = cell(stack.engines), cell((stack.endpoint,))
        else:
            baseload, direct = cell((stack.endpoint,)), cell(stack.engines)
        note.print(
            f"  c={concurrency}, pair {number + 1} of {self._effort.pairs}: req/s "
            f"{direct.req_s:.1f} -> {baseload.req_s:.1f}, TTFT p50 "
            f"{direct.ttft_ms_p50:.1f} -> {baseload.ttft_ms_p50:.1f} ms"
        )
        return Pair(direct, baseload)

    def _measure_alone(self, folder: Path) -> None:
        alone = GatewayAlone(
            folder,
            window_s=self._effort.window_s,
            rounds=self._effort.rounds,
            say=lambda line: note.print(f"  {line}"),
        )
        self.cells = alone.cells
        alone.run()

    def _measure_policy(self, folder: Path) -> None:
        cost = PolicyCost(
            folder,
            window_s=self._effort.window_s,
            pairs=self._effort.pairs,
            say=lambda line: note.print(f"  {line}"),
        )
        self.policy = cost.comparisons
        cost.run()

    def document(self) -> dict[str, Any]:
        by_c = {each.concurrency: each for each in self.comparisons}
        headline = {
            "throughput_ratio_c32": by_c[32].contrasts["req_s"].ratio if 32 in by_c else None,
            "added_ttft_p50_ms_c1": (
                by_c[1].contrasts["ttft_ms_p50"].difference if 1 in by_c else None
            ),
            "cpu_us_per_chunk_c64": cpu_us_per_chunk(self.cells, USUAL),
            "cpu_us_per_chunk_c64_short_answers": cpu_us_per_chunk(self.cells, SHORT),
            "cpu_us_per_chunk_c64_spread_starts": cpu_us_per_chunk(self.cells, SPREAD),
            "chunks_per_s_per_process": chunks_per_s(self.cells),
            "rules_added_ttft_p50_ms_c1": (
                self.policy[0].contrasts["ttft_ms_p50"].difference if self.policy else None
            ),
        }
        method = {
            "stack": {"answer_tokens": STACK_ANSWER_TOKENS, "concurrencies": CONCURRENCIES},
            "gateway_alone": {
                "usual": dataclasses.asdict(USUAL),
                "short_answers": dataclasses.asdict(SHORT),
                "spread_starts": dataclasses.asdict(SPREAD),
            },
            "rules": {"prompt_chars": PROMPT_CHARS},
            "effort": dataclasses.asdict(self._effort),
        }
        document = {
            **headline,
            "failures": self.failures,
            "command": command_line("benchmarks.studies.overhead"),
            **self._origin,
            "method": method,
            "through_baseload": [dataclasses.asdict(each) for each in self.comparisons],
            "gateway_alone": [dataclasses.asdict(each) for each in self.cells],
            "with_rules": [dataclasses.asdict(each) for each in self.policy],
        }
        rounded: dict[str, Any] = rounded_floats(document)
        return rounded


def _warm_up(targets: tuple[Target, ...]) -> None:
    """Until throughput no longer rises."""
    reached = 0.0
    for _ in range(WARM_UPS_MAX):
        load = ClosedLoop(targets, max(CONCURRENCIES), STACK_ANSWER_TOKENS, WARM_UP_S)
        found = run_apart(load).req_s
        note.print(f"  warming up: {found:.1f} req/s")
        if found < reached * WARM:
            return
        reached = found


def main(
    quick: Annotated[bool, typer.Option(help="A short run, for a look; nothing is kept.")] = False,
    port: Annotated[int | None, typer.Option(help="Of the stack (default: a free one).")] = None,
    out: Annotated[
        Path | None, typer.Option(help=f"The result file (default: {RESULT.relative_to(ROOT)}).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Measure what Baseload adds to the engines behind it. Takes eight minutes; quick, under four.

    Example: python -m benchmarks.studies.overhead --quick --json
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started_s = time.monotonic()
    file = out if out is not None else None if quick else RESULT
    overhead = Overhead(QUICK if quick else FULL, port)
    folder = Path(tempfile.mkdtemp(prefix="baseload-bench-"))
    try:
        overhead.run(folder)
    finally:
        if file is not None:
            keep(overhead.document(), file)
    if overhead.failures:
        note.print(f"what the parts left behind is in {folder}")
    else:
        shutil.rmtree(folder)
    _show(overhead, as_json)
    note.print(f"took {time.monotonic() - started_s:.0f} s")
    if overhead.failures:
        raise SystemExit(EXIT_INCOMPLETE)


def _show(overhead: Overhead, as_json: bool) -> None:
    document = overhead.document()
    if as_json:
        print(json.dumps(document, indent=1))
        return
    out = table_console()
    if overhead.comparisons:
        out.print(comparison_table(overhead.comparisons))
    if overhead.cells:
        out.print(alone_table(overhead.cells))
    if overhead.policy:
        out.print(policy_table(overhead.policy))
    for name, value in document.items():
        if name == "failures":
            break
        out.print(f"{name:36}{'not measured' if value is None else value}")


if __name__ == "__main__":
    typer.run(main)
