"""`python -m benchmarks.studies.theta`: `baseload bench` on the local stack, twice.

First a sweep for theta, the load that two tiny replicas keep within the SLO, with the lengths of a
public trace and arrivals at random; then the trace at its own times, at a share of that load, its
utilization measured against the theta just found. There is no provider: what is bought needs no
card, and would make theta whatever was asked for.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import typer

from benchmarks.load.result import DOCUMENT
from benchmarks.rig import terminal
from benchmarks.rig.common import MODEL, ROOT, BenchmarkError
from benchmarks.rig.fair_share import raise_session
from benchmarks.rig.provenance import command_line, rounded_floats
from benchmarks.rig.stack import running
from benchmarks.rig.terminal import note
from benchmarks.simulation.traces import read_trace
from models.cards import find_card
from models.money import NANO_PER_USD

RESULTS = Path(__file__).parents[1] / "results"
SWEEP, REPLAY = "bench.json", "bench_trace.json"
TRACE = ROOT.parent / "shared" / "data" / "AzureLLMInferenceTrace_conv.csv"
KEY_ENV = "BASELOAD_BENCH_KEY"
CARD, CARDS = "cpu", 2
LENGTH_SCALE = 0.25  # of the trace: its longest request fits the tiny model's context
START_PER_S = 40.0
WARM_UP_S, SECONDS = 8.0, 45.0
RUNS = 3
REPLAY_SHARE = 0.5  # of the tokens per second that theta is
BENCH_S_MAX = 7_200.0


@dataclass(frozen=True, slots=True)
class StackBench:
    """`baseload bench` of one endpoint with the lengths of one trace; files under ``folder``."""

    url: str
    key: str
    trace: Path
    folder: Path
    seconds: float
    runs: int

    def sweep(self) -> dict[str, Any]:
        return self._play("sweep", START_PER_S, "--sweep", "--arrivals", "poisson")

    def replay(self, theta_tok_s: float) -> dict[str, Any]:
        """``theta_tok_s`` is of one card."""
        lengths = (row.output_tokens for row in read_trace(self.trace, "azure"))
        output_tokens = fmean(max(1, round(each * LENGTH_SCALE)) for each in lengths)
        rate_per_s = REPLAY_SHARE * CARDS * theta_tok_s / output_tokens
        theta = self.folder / "sweep" / DOCUMENT
        return self._play("replay", rate_per_s, "--theta", str(theta))

    def _play(self, name: str, rate_per_s: float, *more: str) -> dict[str, Any]:
        note.print(f"== {name}")
        out = self.folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        argv = ["baseload", "bench", self.url, "--model", MODEL, "--key-env", KEY_ENV]
        argv += ["--trace", str(self.trace), "--length-scale", str(LENGTH_SCALE), "--ignore-eos"]
        argv += ["--rate", f"{rate_per_s:.3f}", "--runs", str(self.runs)]
        argv += ["--warmup", str(WARM_UP_S), "--seconds", str(self.seconds)]
        argv += ["--cards", str(CARDS), "--card-price", str(card_usd()), *more]
        files = ["--out", str(out), "--report", f"{out}.html"]
        done = subprocess.run(
            [str(Path(sys.executable).parent / argv[0]), *argv[1:], *files],
            stdout=subprocess.DEVNULL,
            cwd=ROOT,
            env=os.environ | {KEY_ENV: self.key},
            timeout=BENCH_S_MAX,
        )
        if done.returncode:
            raise BenchmarkError(f"baseload bench ended with {done.returncode}")
        told: dict[str, Any] = json.loads((out / DOCUMENT).read_text())
        return told


def card_usd() -> Decimal:
    nano = find_card(CARD).nano_usd_per_hour
    if nano is None:
        raise BenchmarkError(f"no price of an hour of a {CARD} card")
    return Decimal(nano) / NANO_PER_USD


def keep(told: dict[str, Any], name: str, results: Path) -> None:
    """Keeps the result without the address of one day."""
    told["endpoint"] = "the local stack"
    told["command"] = command_line("benchmarks.studies.theta")
    terminal.keep(rounded_floats(told), results / name)


def main(
    trace: Annotated[Path, typer.Option(help="In the Azure format.")] = TRACE,
    seconds: Annotated[float, typer.Option(min=5, help="Of each run, measured.")] = SECONDS,
    runs: Annotated[int, typer.Option(min=1, help="Of the sweep, and of the replay.")] = RUNS,
    results: Annotated[Path, typer.Option(help="Folder of the result files.")] = RESULTS,
    raw: Annotated[Path | None, typer.Option(help="Keeps raw rows and pages.")] = None,
) -> None:
    """Find theta of the local stack, and the utilization of a trace. Takes about half an hour.

    Example: python -m benchmarks.studies.theta --runs 1 --seconds 15 --results /tmp/look
    """
    if not trace.is_file():
        raise typer.BadParameter(f"there is no {trace}", param_hint="--trace")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    raise_session()  # the client shares the cores with the engines, and is not to wait for them
    with tempfile.TemporaryDirectory(prefix="bl-theta-") as place:
        state = Path(place) / "state"
        with running(state, None) as stack:
            bench = StackBench(
                url=stack.endpoint.base_url,
                key=stack.endpoint.key,
                trace=trace,
                folder=Path(place) if raw is None else raw,
                seconds=seconds,
                runs=runs,
            )
            swept = bench.sweep()
            keep(swept, SWEEP, results)
            if swept["theta"] is not None:
                keep(bench.replay(swept["theta_out_tok_s_per_card"]), REPLAY, results)


if __name__ == "__main__":
    typer.run(main)
