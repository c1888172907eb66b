"""`baseload plan`: how a model should run on given cards, how fast, and what a token would cost."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cluster.model_config import read_model_config
from cluster.plan_output import document, table, verdict
from cluster.planning import Planned
from cluster.report_file import check_writable, write_report
from models.cards import UnknownCard, find_card, load_cards
from models.catalogue import Model, UnknownModel, load_catalogue
from models.hf_config import BadModelConfig, shape_of
from models.kv import KvDtype
from models.planner import RUNNING_MAX_PER_RANK, BadPlan, Objective, plan
from models.shape import Shape
from runtime.errors import ConfigError

PAGE_COLUMNS = 150  # where stdout is no terminal
ASKED, OUTPUT = "What is asked", "Output"

note = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def plan_command(
    model: Annotated[str, typer.Argument(help="A catalogue name, a folder, or a hub id.")],
    card: Annotated[str, typer.Option(help="H100, H200, H800, H20 or H20-3e.")],
    cards: Annotated[int, typer.Option(help="How many: 1, 2, 4, 8, or whole nodes of 8.")],
    input_tokens: Annotated[
        int, typer.Option("--input", help="Prompt tokens of a request.", rich_help_panel=ASKED)
    ] = 2_000,
    output_tokens: Annotated[
        int, typer.Option("--output", help="Answer tokens of a request.", rich_help_panel=ASKED)
    ] = 500,
    ttft_ms: Annotated[
        float | None,
        typer.Option(help="Time to first token at most, without a queue.", rich_help_panel=ASKED),
    ] = None,
    tpot_ms: Annotated[
        float | None,
        typer.Option(help="Time per output token at most, at the load.", rich_help_panel=ASKED),
    ] = None,
    running_max: Annotated[
        int, typer.Option(min=1, help="Requests in a batch of one rank.", rich_help_panel=ASKED)
    ] = RUNNING_MAX_PER_RANK,
    kv_dtype: Annotated[
        KvDtype | None, typer.Option(help="Of the KV cache.", rich_help_panel=ASKED)
    ] = None,
    dense: Annotated[
        bool, typer.Option(help="Plan a config without experts as well.", rich_help_panel=ASKED)
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML page with plots.", rich_help_panel=OUTPUT)
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(help="Write the Serve config of the best layout.", rich_help_panel=OUTPUT),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Size a model on cards: layouts, memory, speed, $ per M tokens, and the engine's arguments.

    Example: baseload plan deepseek-v3.2 --card H200 --cards 8 --input 4000 --output 1000

    Example: baseload plan glm-5 --card H20-3e --cards 8 --tpot-ms 50 --report plan.html --json
    """
    check_writable(report)
    check_writable(write)
    try:
        chosen_card = find_card(card)
        entry, shape = _model(model, dense)
        objective = Objective(input_tokens, output_tokens, ttft_ms, tpot_ms)
        others = tuple(each for each in load_cards().values() if each is not chosen_card)
        found = plan(
            shape,
            chosen_card,
            cards,
            objective,
            kv_dtype=kv_dtype,
            running_max=running_max,
            other_cards=others,
        )
    except (BadPlan, BadModelConfig, UnknownCard, UnknownModel) as error:
        raise ConfigError(str(error)) from error
    planned = Planned(model, shape, entry, found)
    _show(planned, as_json)
    _keep(planned, report, write)


def _model(name: str, dense: bool) -> tuple[Model | None, Shape]:
    """The catalogue first; what has a slash or is a folder is read from its config."""
    if "/" not in name and not Path(name).exists():
        model = load_catalogue().get(name)
        return model, model.shape()
    known = load_catalogue().of_repo(name)
    if known is not None:
        return known, known.shape()
    read = read_model_config(name)
    shape = shape_of(read.config)
    if shape.moe is None and not dense:
        raise ConfigError(
            f"{name} has no experts: the planner sizes mixture-of-experts models; give --dense to "
            "plan it nevertheless"
        )
    for assumed in (*read.notes, *shape.unknown):
        note.print(f"{name}: {assumed}", style="yellow")
    return None, shape


def _show(planned: Planned, as_json: bool) -> None:
    if as_json:
        print(json.dumps(document(planned), indent=1))
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PAGE_COLUMNS)
    console.print(table(planned))
    console.print(verdict(planned), style="bold")


def _keep(planned: Planned, report: Path | None, write: Path | None) -> None:
    if report is not None:
        from cluster.plan_report import plan_report  # matplotlib is slow to import

        write_report(report, plan_report(planned))
        note.print(f"report in {report}")
    if write is not None:
        from cluster.plan_files import serve_file

        write_report(write, serve_file(planned))
        note.print(f"Serve config in {write}")
