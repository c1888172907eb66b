"""`baseload plan`: how a model should run on given cards, how fast, and what a token would cost."""

from __future__ import annotations

import json
from pathlib import Path

from cluster.cli.plan.options import OutputOptions, PlanOptions
from cluster.cli.plan.output import document, table, verdict
from cluster.cli.report_file import check_writable, write_report
from cluster.cli.terminal import note, page
from cluster.cli.typer_options import takes
from cluster.manifests.planned_model import Planned
from cluster.manifests.read_model_config import read_model_config
from models.cards import UnknownCard, find_card, load_cards
from models.catalogue import Model, UnknownModel, load_catalogue
from models.hf.config import BadModelConfig, shape_of
from models.planner import BadPlan, Objective, plan
from models.shape import Shape
from runtime.errors import ConfigError

PAGE_COLUMNS = 150  # where stdout is no terminal


@takes(PlanOptions)
def plan_command(options: PlanOptions) -> None:
    """Size a model on cards: layouts, memory, speed, $ per M tokens, and the engine's arguments.

    Example: baseload plan deepseek-v3.2 --card H200 --cards 8 --input 4000 --output 1000

    Example: baseload plan glm-5 --card H20-3e --cards 8 --tpot-ms 50 --report plan.html --json
    """
    check_writable(options.output.report)
    check_writable(options.output.write, "--write")
    try:
        planned = _planned(options)
    except (BadPlan, BadModelConfig, UnknownCard, UnknownModel) as error:
        raise ConfigError(str(error)) from error
    _show(planned, options.output.as_json)
    _keep(planned, options.output)


def _planned(options: PlanOptions) -> Planned:
    asked, known = options.asked, load_cards()
    card = find_card(options.card, known)
    entry, shape = _model(options.model, asked.dense)
    found = plan(
        shape,
        card,
        options.cards,
        Objective(asked.input_tokens, asked.output_tokens, asked.ttft_ms, asked.tpot_ms),
        kv_dtype=asked.kv_dtype,
        running_max=asked.running_max,
        other_cards=tuple(each for each in known.values() if each is not card),
    )
    return Planned(options.model, shape, entry, found)


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
    console = page(PAGE_COLUMNS)
    console.print(table(planned))
    console.print(verdict(planned), style="bold")


def _keep(planned: Planned, output: OutputOptions) -> None:
    if output.report is not None:
        from cluster.cli.plan.page import plan_report  # matplotlib is slow to import

        write_report(output.report, plan_report(planned))
        note.print(f"report in {output.report}")
    if output.write is not None:
        from cluster.manifests.serve_config import serve_file

        write_report(output.write, serve_file(planned), "--write")
        note.print(f"Serve config in {output.write}")
