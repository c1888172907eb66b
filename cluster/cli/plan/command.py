"""`baseload plan`: how a model should run on given cards, how fast, and what a token would cost."""

from __future__ import annotations

import json
from pathlib import Path

from cluster.cli.plan import options
from cluster.cli.plan.output import document, table, verdict
from cluster.cli.report_file import check_writable, write_report
from cluster.cli.terminal import note, page
from cluster.manifests.model_config import read_model_config
from cluster.manifests.planning import Planned
from models.cards import UnknownCard, find_card, load_cards
from models.catalogue import Model, UnknownModel, load_catalogue
from models.hf.config import BadModelConfig, shape_of
from models.planner import RUNNING_MAX_PER_RANK, BadPlan, Objective, plan
from models.shape import Shape
from runtime.errors import ConfigError

PAGE_COLUMNS = 150  # where stdout is no terminal


def plan_command(
    model: options.ModelName,
    card: options.CardName,
    cards: options.Cards,
    input_tokens: options.InputTokens = 2_000,
    output_tokens: options.OutputTokens = 500,
    ttft_ms: options.TtftMs = None,
    tpot_ms: options.TpotMs = None,
    running_max: options.RunningMax = RUNNING_MAX_PER_RANK,
    kv_dtype: options.KvType = None,
    dense: options.Dense = False,
    report: options.Report = None,
    write: options.Write = None,
    as_json: options.AsJson = False,
) -> None:
    """Size a model on cards: layouts, memory, speed, $ per M tokens, and the engine's arguments.

    Example: baseload plan deepseek-v3.2 --card H200 --cards 8 --input 4000 --output 1000

    Example: baseload plan glm-5 --card H20-3e --cards 8 --tpot-ms 50 --report plan.html --json
    """
    check_writable(report)
    check_writable(write, "--write")
    try:
        known = load_cards()
        chosen_card = find_card(card, known)
        entry, shape = _model(model, dense)
        objective = Objective(input_tokens, output_tokens, ttft_ms, tpot_ms)
        others = tuple(each for each in known.values() if each is not chosen_card)
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
    console = page(PAGE_COLUMNS)
    console.print(table(planned))
    console.print(verdict(planned), style="bold")


def _keep(planned: Planned, report: Path | None, write: Path | None) -> None:
    if report is not None:
        from cluster.cli.plan.page import plan_report  # matplotlib is slow to import

        write_report(report, plan_report(planned))
        note.print(f"report in {report}")
    if write is not None:
        from cluster.manifests.serve_config import serve_file

        write_report(write, serve_file(planned))
        note.print(f"Serve config in {write}")
