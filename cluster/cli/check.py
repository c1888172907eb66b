"""`baseload check`: all that is wrong with a config file, and what it comes to."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from cluster.checks.ask_vllm import ask_vllm
from cluster.checks.check_config_file import CheckReport, Place, Surroundings, check_file
from cluster.checks.config_summary import as_json, as_lines
from cluster.checks.data_flows.data_flow_map import data_flow_map
from cluster.cli import common_options
from cluster.cli.data_flows.lines import map_lines
from cluster.cli.report_file import check_writable, write_report
from cluster.cli.terminal import Plain, note, visible
from cluster.cli.typer_options import option, takes
from cluster.config_finding import ConfigFinding
from cluster.machine.host import this_host
from cluster.machine.inventory import inventory
from cluster.profile import Profile
from cluster.state_folder import state_folder
from runtime.config_problems import UNKNOWN, Problem, where
from runtime.engine.verify_vllm_settings import Question
from runtime.engine.vllm_adapter.settings_verdict import SettingsVerdict
from runtime.errors import ConfigError
from runtime.targets.provider_accounts import utc_today

EXIT_ERRORS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    config: Path = common_options.config_file()
    elsewhere: bool = option("The file is for another machine: leave out what this one has.", False)
    matrix: bool = option(
        "Which data may go where by the laws that the file keeps, and why.", False
    )
    report: Path | None = option("With --matrix: write the map to this .html file, too.", None)
    as_json: bool = common_options.json_output()


@takes(CheckOptions)
def check(options: CheckOptions) -> None:
    """Check a config file and print what it comes to. Exit status 2 if it could not be served.

    Secrets are never printed.

    Example: baseload check cluster/local.yaml --json

    Example: baseload check cluster/h200.yaml --elsewhere

    Example: baseload check serve.yaml --matrix --report data-flows.html
    """
    if options.matrix:
        _show_matrix(options)
        return
    if options.report is not None:
        raise ConfigError("--report: writes the map of --matrix; give that, too")
    report = examined(options.config, Place.ELSEWHERE if options.elsewhere else Place.HERE)
    if options.as_json:
        print(json.dumps(as_json(report), indent=2))
    else:
        page = Plain(soft_wrap=True)
        print_findings(page, report)
        for line in as_lines(report):
            page.print(line)
    if report.errors:
        raise typer.Exit(EXIT_ERRORS)


def _show_matrix(options: CheckOptions) -> None:
    """Of the file as it is, on whatever machine it is read."""
    check_writable(options.report)
    found = examined(options.config, Place.ELSEWHERE)
    if found.profile is None:
        print_findings(note, found)
        raise typer.Exit(EXIT_ERRORS)
    flows = data_flow_map(str(options.config), found.profile, utc_today())
    if options.as_json:
        print(flows.model_dump_json(indent=2))
    else:
        for line in map_lines(flows):
            print(visible(line))
    if options.report is not None:
        from cluster.cli.data_flows.page import map_page  # templates are of the extra "bench"

        write_report(options.report, map_page(flows))
        note.print(f"map in {options.report}")


def checked_profile(config: Path, move: Callable[[Profile], Profile]) -> Profile:
    """The profile to start, once its warnings are on stderr; ConfigError if it has errors."""
    report = examined(config, Place.START, move)
    print_findings(note, report)
    if report.profile is None:
        count = len(report.errors)
        told = f"{count} errors" if count > 1 else "1 error"
        if all(each.option is not None for each in report.errors):
            raise ConfigError(f"{report.errors[0].option} has {told}: nothing was started")
        raise ConfigError(f"{config} has {told}: nothing was started")
    return report.profile


def examined(
    config: Path, place: Place, move: Callable[[Profile], Profile] = lambda profile: profile
) -> CheckReport:
    """The report as of now, on this machine."""
    around = Surroundings(
        place=place,
        state=state_folder(),
        today=utc_today(),
        environment=dict(os.environ),
        seen=inventory(),
        ask=_ask,
        move=move,
        host=this_host(),
    )
    return check_file(config, around)


def _ask(
    questions: Sequence[Question], environment: Mapping[str, str]
) -> list[SettingsVerdict] | str:
    note.print("  asking vLLM about the engines; it takes some seconds to load")
    return ask_vllm(questions, environment)


def print_findings(console: Plain, report: CheckReport) -> None:
    """Errors first, then warnings."""
    for kind, style, found in (
        ("error", "bold red", report.errors),
        ("warning", "yellow", report.warnings),
    ):
        for each in found:
            console.print(f"{kind:<9}  {_place(report.path, each)}", style=style)
            console.print(f"           {_said(each.problem)}")


def _place(path: Path, finding: ConfigFinding) -> str:
    if finding.option is not None:
        return finding.option
    line = "" if finding.line is None else f":{finding.line}"
    return f"{path}{line}  {where(finding.problem.path)}"


def _said(problem: Problem) -> str:
    """With the key that is not known, or the value that stands there and is not quoted yet."""
    if problem.wrong.startswith(UNKNOWN) and problem.path:
        key = f"`{problem.path[-1]}` "
        return key + problem.wrong + (f"; {problem.instead}" if problem.instead else "")
    quoted = problem.value is None or problem.value in problem.wrong
    value = "" if quoted else f"{problem.value} "
    return value + problem.wrong + (f"; {problem.instead}" if problem.instead else "")
