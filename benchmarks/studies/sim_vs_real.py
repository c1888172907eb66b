"""How far the simulator is from the real thing: one trace on the real stack and in simulation.

`python -m benchmarks.studies.sim_vs_real` starts two tiny replicas and a scripted provider, and per
run: brings a stretch of the trace to a load that makes some requests wait and some leave, replays
it over HTTP between two ramps that pass every load, and simulates the same requests with the steps
measured on the ramps: a machine drifts. The replay is never used to fit anything.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from time import sleep
from typing import Annotated, Any

import typer
from rich.table import Table

from benchmarks.rig.common import ROOT, BenchmarkError
from benchmarks.rig.open_loop import Answer, OpenLoop, Seen, run_apart
from benchmarks.rig.provenance import command_line, provenance, rounded_floats
from benchmarks.rig.stack import Stack, running
from benchmarks.rig.stand_in import OFFER_ID, STEP_MS, limits, stand_in_profile
from benchmarks.rig.step_fit import CalibrationError
from benchmarks.rig.step_samples import busy_s
from benchmarks.rig.terminal import EXIT_INCOMPLETE, keep, note, table_console
from benchmarks.simulation.offers import make_offer
from benchmarks.simulation.run_counters import Run as SimulatedRun
from benchmarks.simulation.simulator import simulate
from benchmarks.simulation.traces import TraceRow, read_trace
from benchmarks.simulation.workload import Request, Workload, make_workload
from benchmarks.studies.agreement import Figures, Line, compare, real_figures, simulated_figures
from benchmarks.studies.stack_calibration import (
    RAMP_S,
    WARM_UP_TOP_PER_S,
    StackCalibration,
    calibrate,
    play_ramp,
)
from benchmarks.studies.trace_slice import Divisors, asks, ramp, scaled, stretch

TRACE = ROOT.parent / "shared" / "data" / "AzureLLMInferenceTrace_conv.csv"
RESULT = Path(__file__).parents[1] / "results" / "honesty.json"
DIVISORS = Divisors(prompt=4, output=2)
REPLICAS = 2
LOAD = 1.3
TTFT_BUDGET_MS = 2_000
RUN_S = 90.0
RUN_ROWS = 2_400  # about what a run takes; the next one begins so much later
RAMP_OVER = 1.6  # its top, times the mean rate of the replay, which comes in bursts
RAMP_ROWS = 1_000  # at most what a ramp takes
REST_S = 5.0  # between the ramp and the replay


@dataclass(frozen=True, slots=True)
class ComparedRun:
    calibration: StackCalibration
    seconds: float
    real: Figures
    simulated: Figures
    reasons_real: dict[str, int]
    reasons_simulated: dict[str, int]
    lines: tuple[Line, ...]

    @property
    def holds(self) -> bool:
        return all(line.holds is not False for line in self.lines)


class SimVsReal:
    """``runs`` grows, so that what was measured before a failure is kept."""

    def __init__(self, stack: Stack, rows: list[TraceRow], load: float) -> None:
        self.runs: list[ComparedRun] = []
        self._stack = stack
        self._rows = rows
        self._load = load
        self._top_per_s = WARM_UP_TOP_PER_S
        self._ramps: list[Seen] = []

    def warm_up(self) -> None:
        """Plays two ramps: what the first one tells of the machine sets the top of all that
        follow."""
        self._ramp()
        expected = self._workload(calibrate(self._ramps, REPLICAS), 0)
        self._top_per_s = RAMP_OVER * len(expected.requests) / expected.duration_s
        self._ramp()

    def run(self, number: int) -> None:
        workload = self._workload(calibrate(self._ramps[-1:], REPLICAS), number)
        note.print(
            f"run {number + 1}: replaying {len(workload.requests)} requests "
            f"in {workload.duration_s:.0f} s"
        )
        sleep(REST_S)
        sent = asks(workload.requests, TTFT_BUDGET_MS)
        stack, seed = self._stack, 2 * number + 2
        seen = run_apart(OpenLoop((stack.endpoint,), stack.engines, sent, seed))
        sleep(REST_S)
        self._ramp()
        calibration = calibrate(self._ramps[-2:], REPLICAS)
        note.print(f"  {calibration}")
        self.runs.append(self._compared(workload, seen, calibration))

    def _ramp(self) -> None:
        note.print(f"  a ramp to {self._top_per_s:.0f} requests/s, for {RAMP_S:.0f} s")
        number = len(self._ramps)
        rows, seed = self._ramp_rows(number), 2 * number + 1
        self._ramps.append(play_ramp(self._stack, rows, TTFT_BUDGET_MS, self._top_per_s, seed=seed))

    def _compared(
        self, workload: Workload, seen: Seen, calibration: StackCalibration
    ) -> ComparedRun:
        busy = fmean(
            busy_s(seen.of_engine(engine), workload.duration_s) / workload.duration_s
            for engine in range(REPLICAS)
        )
        real = real_figures(seen.answers, busy)
        run = self._simulated(workload, calibration)
        simulated = simulated_figures(run, workload.duration_s)
        return ComparedRun(
            calibration,
            workload.duration_s,
            real,
            simulated,
            _reasons(seen.answers),
            dict(sorted(run.reasons.items())),
            compare(real, simulated),
        )

    def _simulated(self, workload: Workload, calibration: StackCalibration) -> SimulatedRun:
        """After a ramp, as in reality: by then the scheduler knows what steps and answers cost."""
        offer_id, begins_s = workload.offers[0].offer_id, RAMP_S + REST_S
        warm_up = tuple(
            Request(
                f"ramp-{number}",
                row.at_s,
                row.prompt_tokens,
                row.output_tokens,
                row.output_tokens,
                TTFT_BUDGET_MS,
                (),
                (offer_id,),
            )
            for number, row in enumerate(ramp(self._ramp_rows(0), self._top_per_s, RAMP_S))
        )
        then = tuple(replace(each, at_s=each.at_s + begins_s) for each in workload.requests)
        return simulate(
            replace(
                workload,
                requests=warm_up + then,
                duration_s=workload.duration_s + begins_s,
            ),
            calibration.profile,
            replicas=REPLICAS,
            dispatch_s=calibration.outside_ms / 1000,
            warm_up_s=begins_s,
        )

    def _ramp_rows(self, number: int) -> list[TraceRow]:
        """From the later half of the trace; what is replayed is from the earlier one."""
        return self._rows[len(self._rows) // 2 + number * RAMP_ROWS :]

    def _workload(self, calibration: StackCalibration, number: int) -> Workload:
        rows = self._rows[number * RUN_ROWS :]
        rows = [replace(row, at_s=row.at_s - rows[0].at_s) for row in rows]
        profile = calibration.profile
        part = stretch(rows, profile, replicas=REPLICAS, load=self._load, lasting_s=RUN_S)
        offer = make_offer(
            "0.40",
            "0.10",
            "0.01",
            offer_id=OFFER_ID,
            ttft_ms=calibration.offer_ttft_ms,
            output_tok_s=1000 / STEP_MS,
        )
        made = make_workload(
            part,
            profile,
            replicas=REPLICAS,
            load=self._load,
            ttft_ms=TTFT_BUDGET_MS,
            offers=[offer],
            warm_share=0.0,
        )
        # The real answers are cut off at their length: it is what their callers allow.
        cut = tuple(replace(each, max_output_tokens=each.output_tokens) for each in made.requests)
        return replace(made, requests=cut)

    def document(self) -> dict[str, Any]:
        document = {
            "holds": [run.holds for run in self.runs],
            "command": command_line("benchmarks.studies.sim_vs_real"),
            **provenance(),
            "method": {
                "trace": TRACE.name,
                "divisors": dataclasses.asdict(DIVISORS),
                "load": self._load,
                "ttft_budget_ms": TTFT_BUDGET_MS,
                "ramp_s": RAMP_S,
                "provider_step_ms": STEP_MS,
            },
            "runs": [_as_json(run) for run in self.runs],
        }
        rounded: dict[str, Any] = rounded_floats(document)
        return rounded


def _reasons(answers: list[Answer]) -> dict[str, int]:
    return dict(sorted(Counter(each.reason for each in answers).items()))


def _as_json(run: ComparedRun) -> dict[str, Any]:
    return {
        "calibration": run.calibration.as_json(),
        "seconds": run.seconds,
        "lines": [dataclasses.asdict(line) | {"holds": line.holds} for line in run.lines],
        "reasons_real": run.reasons_real,
        "reasons_simulated": run.reasons_simulated,
    }


def table_of(run: ComparedRun) -> Table:
    table = Table(title=f"{run.seconds:.0f} s of {TRACE.stem}, cut down")
    for name in ("", "real", "simulated", "difference", "at most", "holds"):
        table.add_column(name, justify="left" if name == "" else "right")
    for line in run.lines:
        table.add_row(
            line.name,
            f"{line.real:.3g}" if line.real < 1 else f"{line.real:.0f}",
            f"{line.simulated:.3g}" if line.simulated < 1 else f"{line.simulated:.0f}",
            f"{line.difference:+.1f} {line.unit}",
            "" if line.at_most is None else f"{line.at_most:.0f}",
            {None: "", True: "yes", False: "no"}[line.holds],
        )
    return table


def main(
    runs: Annotated[int, typer.Option(min=1, max=3, help="Each of another stretch.")] = 3,
    load: Annotated[float, typer.Option(min=0.1, max=5.0, help="1: always full.")] = LOAD,
    port: Annotated[int | None, typer.Option(help="Of the stack (default: a free one).")] = None,
    out: Annotated[Path, typer.Option(help="The result file.")] = RESULT,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Replay a trace on the real stack and in simulation. Takes ten minutes, a run two and a half.

    Example: python -m benchmarks.studies.sim_vs_real --runs 1 --json
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not TRACE.is_file():
        note.print(f"skipped: there is no {TRACE}")
        return
    rows = scaled(read_trace(TRACE, "azure"), DIVISORS, limits().context_tokens_max)
    study: SimVsReal | None = None
    folder = Path(tempfile.mkdtemp(prefix="baseload-honesty-"))
    try:
        with (
            stand_in_profile(folder) as profile,
            running(folder / "state", port, profile) as stack,
        ):
            study = SimVsReal(stack, rows, load)
            study.warm_up()
            for number in range(runs):
                study.run(number)
    except (BenchmarkError, CalibrationError, OSError) as error:
        note.print(f"not measured: {error}; what was left behind is in {folder}", style="red")
        raise SystemExit(EXIT_INCOMPLETE) from None
    finally:
        if study is not None and study.runs:
            keep(study.document(), out)
    shutil.rmtree(folder)
    if as_json:
        print(json.dumps(study.document(), indent=1))
        return
    console = table_console()
    for run in study.runs:
        console.print(table_of(run))


if __name__ == "__main__":
    typer.run(main)
