"""Rows as a table, in memory and as Parquet: every figure of a report can be made from it again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from benchmarks.load.request_row import Row

SCHEMA: dict[str, pl.DataType] = {
    "run": pl.Int32(),
    "number": pl.Int64(),
    "scheduled_s": pl.Float64(),
    "sent_s": pl.Float64(),
    "first_token_s": pl.Float64(),
    "last_token_s": pl.Float64(),
    "ended_s": pl.Float64(),
    "asked_prompt_tokens": pl.Int64(),
    "asked_output_tokens": pl.Int64(),
    "prompt_tokens": pl.Int64(),
    "output_tokens": pl.Int64(),
    "cached_tokens": pl.Int64(),
    "status": pl.Int32(),
    "error": pl.String(),
    "gaps_lost": pl.Int64(),
    "target": pl.String(),
    "cost_nano_usd": pl.Int64(),
    "gaps_ms": pl.List(pl.Float32()),
}


def table(rows: Iterable[Row], run: int) -> pl.DataFrame:
    """The rows as a table, in the order of their schedule. ``run`` is the number of the run that
    the rows are of."""
    ordered = sorted(rows, key=lambda row: (row.scheduled_s, row.number))
    columns: dict[str, list[object]] = {
        name: [getattr(row, name) for row in ordered]
        for name in SCHEMA
        if name not in ("run", "gaps_ms")
    }
    columns["run"] = [run] * len(ordered)
    columns["gaps_ms"] = [row.gaps_ms.tolist() for row in ordered]
    return pl.DataFrame({name: columns[name] for name in SCHEMA}, schema=SCHEMA)


def write(frames: Iterable[pl.DataFrame], path: Path) -> None:
    pl.concat([pl.DataFrame(schema=SCHEMA), *frames]).write_parquet(path)


def read(path: Path) -> dict[int, pl.DataFrame]:
    """Reads the rows of each run."""
    whole = pl.read_parquet(path)
    return {int(run): whole.filter(pl.col("run") == run) for run in whole["run"].unique().sort()}
