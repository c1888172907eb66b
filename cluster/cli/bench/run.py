"""Carries out `baseload bench`: parses, shows, and keeps.

What is sent, measured and refused is `benchmarks.load`'s. What a run has is kept, however it ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.economics.checks import BadInput
from benchmarks.load.bench import carry_out
from benchmarks.load.endpoint import BadLoad
from benchmarks.load.probe import probed
from benchmarks.load.prompt import wording_of
from benchmarks.load.report import report
from benchmarks.load.result import DOCUMENT, ROWS, Bench
from benchmarks.rig.provenance import provenance
from benchmarks.simulation.traces import BadTrace
from cluster.cli.bench.output import show, watching
from cluster.cli.bench.parse import check_folder, replay, setting_of, traffic_of
from cluster.cli.report_file import check_writable, write_report
from cluster.cli.terminal import note
from runtime.errors import ConfigError

EXIT_INCOMPLETE = 1


def run(given: Mapping[str, Any]) -> None:
    """``given`` are the options by name."""
    out: Path | None = given["out"]
    tokenizer: Path | None = given["tokenizer"]
    try:
        check_folder(out)
        check_writable(given["report"])
        told = replay(given["trace"], given["trace_format"])
        traffic = traffic_of(told, given)
        setting = setting_of(given)
        words = None if tokenizer is None else wording_of(tokenizer)
        setting = replace(setting, wording=probed(setting.endpoint, words))
        found = Bench(setting, traffic, provenance(), flaw=told.flaw)
        with watching() as watcher:
            carry_out(found, given["runs"], is_sweep=given["sweep"], watcher=watcher, out=out)
    except (BadLoad, BadTrace, BadInput) as error:
        raise ConfigError(str(error)) from error
    show(found, as_json=given["as_json"])
    _keep(found, out, given["report"])
    if not found.is_whole:
        raise SystemExit(EXIT_INCOMPLETE)


def _keep(found: Bench, out: Path | None, page: Path | None) -> None:
    if out is not None and found.unkept is None:
        note.print(f"result in {out / DOCUMENT}, raw rows in {out / ROWS}")
    if page is not None and found.runs:
        write_report(page, report(found))
        note.print(f"report in {page}")
