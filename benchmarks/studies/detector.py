"""`python -m benchmarks.studies.detector`: what the search for personal data costs, by the kind of
text and its length.

Time of this process's CPU, the least of many batches, so that a busy machine shows little in it.
The texts hold no personal data: the search reads all of each.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from benchmarks.rig.provenance import command_line, provenance
from benchmarks.rig.terminal import keep, note, table_console
from benchmarks.studies.detector_texts import TEXTS
from runtime.detect.personal_data import DETECTOR_VERSION, find_personal_data

RESULT = Path(__file__).parents[1] / "results" / "detector.json"
LENGTHS = (2_000, 32_000, 1_000_000)
BATCH_S = 0.02
BATCHES_MIN = 5


def cpu_us(work: Callable[[], object], seconds: float) -> float:
    """The CPU time of one call, in microseconds."""
    calls, spent_s, batches, least_s = 1, 0.0, 0, float("inf")
    while spent_s < seconds or batches < BATCHES_MIN:
        began_s = time.process_time()
        for _ in range(calls):
            work()
        batch_s = time.process_time() - began_s
        spent_s += batch_s
        if batch_s < BATCH_S / 2 and not batches:
            calls *= 2
            continue
        batches += 1
        least_s = min(least_s, batch_s / calls)
    return 1e6 * least_s


def measure(seconds: float) -> list[dict[str, Any]]:
    """A row for each kind of text."""
    rows = []
    for name, text_of in TEXTS.items():
        note.print(name)
        row: dict[str, Any] = {"text": name}
        for chars in LENGTHS:
            text = [text_of(chars)]
            used = cpu_us(lambda text=text: find_personal_data(text), seconds)  # type: ignore[misc]
            row[f"{chars:,} characters, µs"] = round(used)
        rows.append(row)
    return rows


def main(
    seconds: Annotated[float, typer.Option(help="of CPU for each cell")] = 1.0,
    out: Annotated[Path, typer.Option(help="where the result is kept")] = RESULT,
) -> None:
    """Measure it, show it, keep it."""
    rows = measure(seconds)
    table = Table(*rows[0], title="CPU of the search for personal data")
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else cell for cell in row.values()))
    table_console().print(table)
    document = {
        **provenance(),
        "command": command_line("benchmarks.studies.detector"),
        "detector_version": DETECTOR_VERSION,
        "cpu_by_text": rows,
    }
    keep(document, out)


if __name__ == "__main__":
    typer.run(main)
