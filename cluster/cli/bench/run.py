"""Carries out `baseload bench`: parses, shows, and keeps.

What is sent, measured and refused is `benchmarks.load`'s. What a run has is kept, however it ends.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.economics.input_checks import BadInput
from benchmarks.load.bench import carry_out
from benchmarks.load.endpoint import BadLoad
from benchmarks.load.probe import probed
from benchmarks.load.prompt import wording_of
from benchmarks.load.report import report
from benchmarks.load.result import DOCUMENT, ROWS, Bench
from benchmarks.rig.provenance import provenance
from benchmarks.simulation.traces import BadTrace
from cluster.cli.bench.options import BenchOptions
from cluster.cli.bench.output import show, watching
from cluster.cli.bench.parse_options import check_folder, replay, setting_of, traffic_of
from cluster.cli.report_file import check_writable, write_report
from cluster.cli.terminal import note
from runtime.errors import ConfigError

EXIT_INCOMPLETE = 1


def run(options: BenchOptions) -> None:
    load, output = options.load, options.output
    try:
        check_folder(output.out)
        check_writable(output.report)
        told = replay(load.trace, load.trace_format)
        traffic = traffic_of(told, load, is_sweep=options.judged.sweep)
        setting = setting_of(options)
        tokenizer = options.endpoint.tokenizer
        words = None if tokenizer is None else wording_of(tokenizer)
        setting = replace(setting, wording=probed(setting.endpoint, words))
        found = Bench(setting, traffic, provenance(), flaw=told.flaw)
        with watching() as watcher:
            carry_out(
                found, load.runs, is_sweep=options.judged.sweep, watcher=watcher, out=output.out
            )
    except (BadLoad, BadTrace, BadInput) as error:
        raise ConfigError(str(error)) from error
    show(found, as_json=output.as_json)
    _keep(found, output.out, output.report)
    if not found.is_whole:
        raise SystemExit(EXIT_INCOMPLETE)


def _keep(found: Bench, out: Path | None, page: Path | None) -> None:
    if out is not None and found.unkept is None:
        note.print(f"result in {out / DOCUMENT}, raw rows in {out / ROWS}")
    if page is not None and found.runs:
        write_report(page, report(found))
        note.print(f"report in {page}")
