"""How far the bid price stays from a clairvoyant, on the public traces: ``make bench-scheduler``.

Each cell is one trace at one load: the bound, the bid price with learned and with told lengths,
first come with timeout, and the bid price when a share of the requests must not be bought. What is
asked of a cell stands in ``_lines``; a line that does not hold is printed as such and makes the
command fail, after everything was written.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.provenance import provenance
from benchmarks.simulation.experiment import Experiment, Prepared, prepare
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.sweep import run

LOADS = (0.9, 1.1, 1.5, 2.0, 3.0)
TRACES = {
    "azure-conv": ("AzureLLMInferenceTrace_conv.csv", 2_000),
    "azure-code": ("AzureLLMInferenceTrace_code.csv", 2_000),
    "mooncake": ("conversation_trace.jsonl", 10_000),
}
PINNED_SHARE = 0.3
RESULT = Path(__file__).parent / "results" / "scheduler.json"
EXAMPLE = "example: python -m benchmarks.regret ../shared/data --traces mooncake --loads 1.5"


@dataclass(frozen=True, slots=True)
class Cell:
    trace: str
    load: float
    laps: int
    requests: int
    duration_s: float
    bound_usd: float
    bound_s: float
    learned: Outcome
    told: Outcome
    first_come: Outcome
    pinned: Outcome

    def misses(self) -> list[str]:
        """The lines that do not hold in this cell."""
        return [line for line, holds in _lines(self) if not holds]

    def as_json(self) -> dict[str, object]:
        named = {
            "learned": self.learned,
            "told": self.told,
            "first_come": self.first_come,
            "pinned": self.pinned,
        }
        return {
            "trace": self.trace,
            "load": self.load,
            "laps": self.laps,
            "requests": self.requests,
            "duration_s": round(self.duration_s, 1),
            "bound_usd": self.bound_usd,
            "bound_s": round(self.bound_s, 1),
            "misses": self.misses(),
        } | {name: _summary(outcome) for name, outcome in named.items()}


def _lines(cell: Cell) -> list[tuple[str, bool]]:
    learned, told = cell.learned, cell.told
    lines = [
        ("SLO attainment >= 0.99, learned", _missed(learned) <= 0.01),
        ("SLO attainment >= 0.99, told", _missed(told) <= 0.01),
        ("no pinned request left", cell.pinned.pinned_bought == 0),
    ]
    if cell.load < 1:
        share = learned.spend_usd / learned.buy_all_usd
        return [*lines, ("spend <= 1 % of buying everything", share <= 0.01)]
    lines += [
        ("regret <= 0.10 learned", _number(learned.regret) <= 0.10),
        ("regret <= 0.05 told", _number(told.regret) <= 0.05),
    ]
    if cell.load >= 1.5:
        is_half = learned.spend_usd <= 0.5 * cell.first_come.spend_usd
        lines.append(("spend <= half of first come", is_half))
    return lines


def _missed(outcome: Outcome) -> float:
    return 1 - (outcome.slo_attainment or 0.0)


def _number(value: float | None) -> float:
    """What could not be measured fails every line."""
    return inf if value is None else value


def _summary(outcome: Outcome) -> dict[str, object]:
    keys = (
        "spend_usd buy_all_usd regret slo_attainment local_utilization spilled_share held_p99_ms "
        "refused preemptions pinned_bought cpu_us_per_decision"
    )
    return {key: value for key, value in outcome.as_json().items() if key in keys.split()}


def run_cell(folder: Path, trace: str, load: float) -> Cell:
    from benchmarks.simulation.bound import lp_bound  # scipy is slow to import

    name, ttft_ms = TRACES[trace]
    prepared = prepare(Experiment(trace=folder / name, load=load, ttft_ms=ttft_ms))
    experiment, workload = prepared.experiment, prepared.workload
    bound = lp_bound(workload, prepared.profile, experiment.replicas)

    def outcome(ready: Prepared, bound_usd: float | None, **choices: object) -> Outcome:
        chosen = replace(ready.experiment, **choices)  # type: ignore[arg-type]
        return run(replace(ready, experiment=chosen), bound_usd).outcome

    pinned = prepare(replace(experiment, pinned_share=PINNED_SHARE))
    return Cell(
        trace=trace,
        load=load,
        laps=experiment.laps or 1,
        requests=len(workload.requests),
        duration_s=workload.duration_s,
        bound_usd=bound.usd,
        bound_s=bound.seconds,
        learned=outcome(prepared, bound.usd, lengths="learned"),
        told=outcome(prepared, bound.usd, lengths="told"),
        first_come=outcome(prepared, bound.usd, policy="first-come"),
        pinned=outcome(pinned, None, lengths="learned"),
    )


def table(cells: Sequence[Cell]) -> Table:
    shown = Table(title="Regret = (spend - bound) / (buying everything - bound)")
    for column in ("trace", "load", "bound", "learned", "told", "first come", "SLO", "misses"):
        shown.add_column(column, justify="left" if column in ("trace", "misses") else "right")
    for cell in cells:
        buy_all = cell.learned.buy_all_usd
        shown.add_row(
            cell.trace,
            f"{cell.load:g}",
            f"{cell.bound_usd / buy_all:.4f}",
            f"{_number(cell.learned.regret):.4f}",
            f"{_number(cell.told.regret):.4f}",
            f"{_number(cell.first_come.regret):.4f}",
            f"{1 - max(_missed(cell.learned), _missed(cell.told)):.4f}",
            "; ".join(cell.misses()),
        )
    return shown


def main(argv: Sequence[str] | None = None) -> int:
    parser = ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the trace files are")
    parser.add_argument("--traces", nargs="+", choices=list(TRACES), default=list(TRACES))
    parser.add_argument("--loads", nargs="+", type=float, default=list(LOADS))
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args(argv)
    missing = [TRACES[name][0] for name in options.traces]
    missing = [name for name in missing if not (options.folder / name).is_file()]
    if missing:
        print(f"not in {options.folder}: {', '.join(missing)}: nothing was run", file=sys.stderr)
        return 2
    cells: list[Cell] = []
    console = Console(stderr=True)
    with Progress(console=console) as progress:
        task = progress.add_task("cells", total=len(options.traces) * len(options.loads))
        for trace in options.traces:
            for load in options.loads:
                progress.update(task, description=f"{trace} at load {load:g}")
                cells.append(run_cell(options.folder, trace, load))
                progress.advance(task)
                document = {"provenance": provenance(), "cells": [c.as_json() for c in cells]}
                options.out.write_text(json.dumps(document, indent=1) + "\n")
    console.print(table(cells))
    return 1 if any(cell.misses() for cell in cells) else 0


if __name__ == "__main__":
    sys.exit(main())
